"""Warm invocations: what `Connection` adds to the driver, and what it saves."""

from typing import Any

from pymongo import MongoClient

from benchmarks.artefact import built, paired_ratio, rounds, spread
from tests.support.execution_environment import ExecutionEnvironment
from tests.support.mongod import Mongod

ROUNDS = 5_000
INSIDE = "client inside the handler"


def measure() -> dict[str, Any]:
    """Milliseconds for one find by _id over plain TCP.

    Ours and the bare driver take turns in one process, in changing order. The client inside the
    handler is in a process of its own, so that what it leaves to clean up is nobody else's.
    """
    with built(layout="single", auth="iam") as (project, code), Mongod() as mongod:
        with MongoClient[dict[str, Any]](mongod.uri) as client:
            client.app.items.insert_one({"_id": 1, "name": "Mug"})
        variables = {
            "MONGODB_URI": mongod.uri,
            "MONGODB_DATABASE": "app",
            "PACKAGE": project.package,
        }
        handler = "warm_variants.handler"
        times: dict[str, list[float]] = {"ours": [], "bare driver": [], INSIDE: []}
        with (
            ExecutionEnvironment(code, handler, variables) as environment,
            ExecutionEnvironment(code, handler, variables) as another,
        ):
            pair = ["ours", "bare driver"]
            for number in range(rounds(ROUNDS)):
                pair.reverse()
                for variant in pair:
                    times[variant].append(invoke(environment, variant))
                if number % 10 == 0:  # for its size, not its decimals
                    times[INSIDE].append(invoke(another, INSIDE))
    rows = {variant: spread(values) for variant, values in times.items()}
    base = rows["bare driver"]["median"]
    for name, row in rows.items():
        row["ratio to the bare driver"] = (
            round(row["median"] / base, 2)
            if name == INSIDE
            else paired_ratio(times[name], times["bare driver"])
        )
    return {"unit": "ms", "rows": rows}


def invoke(environment: ExecutionEnvironment, variant: str) -> float:
    invocation = environment.invoke({"variant": variant})
    assert invocation.error is None, invocation.logs
    milliseconds: float = invocation.response
    return milliseconds
