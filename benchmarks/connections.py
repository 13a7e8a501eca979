"""Connections on the server over the number of execution environments."""

from contextlib import ExitStack
from typing import Any

from pymongo import MongoClient

from benchmarks.artefact import built
from tests.support.execution_environment import ExecutionEnvironment
from tests.support.mongod import ReplicaSet

ENVIRONMENTS = (1, 10, 50, 100, 200)
INVOCATIONS = 5


def measure() -> dict[str, Any]:
    """Connections on the primary: held by N environments, and opened over their invocations."""
    rows: dict[str, Any] = {}
    with built(layout="single", auth="iam") as (project, code):
        for variant in ("ours", "client inside the handler"):
            with ReplicaSet() as replica_set, ExitStack() as stack:
                variables = {
                    "MONGODB_URI": replica_set.uri,
                    "MONGODB_DATABASE": "app",
                    "PACKAGE": project.package,
                }
                inside = variant != "ours"
                handler = "inside.handler" if inside else f"{project.package}.app.handler"
                primary = replica_set.primary
                opened_before = primary.connections_created()
                held_before = current(primary.uri)
                environments: list[ExecutionEnvironment] = []
                for count in ENVIRONMENTS:
                    while len(environments) < count:
                        one = stack.enter_context(ExecutionEnvironment(code, handler, variables))
                        environments.append(one)
                        for _ in range(INVOCATIONS):
                            assert one.invoke({}).error is None
                    rows[f"{variant}: {count}"] = {
                        "environments": count,
                        "held": current(primary.uri) - held_before,
                        "opened": primary.connections_created() - opened_before,
                        "invocations": count * INVOCATIONS,
                    }
    return {"unit": "connections on the primary", "rows": rows}


def current(uri: str) -> int:
    """Connections that the server holds, this one not counted."""
    with MongoClient[dict[str, Any]](uri, directConnection=True) as client:
        status = client.admin.command("serverStatus")
    return int(status["connections"]["current"])
