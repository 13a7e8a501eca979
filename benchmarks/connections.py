"""Connections on the server over the number of execution environments."""

import time
from contextlib import ExitStack
from typing import Any

from benchmarks.artefact import built, rounds
from tests.support.budget import TIERS
from tests.support.execution_environment import ExecutionEnvironment
from tests.support.mongod import ReplicaSet

ENVIRONMENTS = (1, 10, 50, 100, 150, 200)
INVOCATIONS = 5
FUNCTION = "orders"  # the driver announces it as its application's name
SETTLE = 5.0  # seconds in which a new replica set's members finish connecting to each other


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
                time.sleep(SETTLE)
                opened_before = primary.connections_created()
                environments: list[ExecutionEnvironment] = []
                for count in [it for it in ENVIRONMENTS if it <= rounds(ENVIRONMENTS[-1])]:
                    while len(environments) < count:
                        one = ExecutionEnvironment(code, handler, variables, function_name=FUNCTION)
                        environments.append(stack.enter_context(one))
                        for _ in range(INVOCATIONS):
                            assert one.invoke({}).error is None
                    rows[f"{variant}: {count}"] = {
                        "environments": count,
                        "held": len(primary.clients(FUNCTION)),
                        "opened": primary.connections_created() - opened_before,
                        "invocations": count * INVOCATIONS,
                    }
    limits = {tier: TIERS[tier] for tier in ("M0", "M10")}
    return {"unit": "connections on the primary", "rows": rows, "limits": limits}
