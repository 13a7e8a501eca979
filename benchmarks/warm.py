"""Warm invocations: what `Connection` adds to the driver, and what it saves."""

from typing import Any

from pymongo import MongoClient

from benchmarks.artefact import built, spread
from tests.support.execution_environment import ExecutionEnvironment
from tests.support.mongod import Mongod

ROUNDS = 2_000
VARIANTS = ("ours", "bare driver", "client inside the handler")


def measure() -> dict[str, Any]:
    """Milliseconds for one find by _id, the variants in turn in one process, plain TCP."""
    with built(layout="single", auth="iam") as (project, code), Mongod() as mongod:
        with MongoClient[dict[str, Any]](mongod.uri) as client:
            client.app.items.insert_one({"_id": 1, "name": "Mug"})
        variables = {
            "MONGODB_URI": mongod.uri,
            "MONGODB_DATABASE": "app",
            "PACKAGE": project.package,
        }
        times: dict[str, list[float]] = {variant: [] for variant in VARIANTS}
        with ExecutionEnvironment(code, "warm_variants.handler", variables) as environment:
            for number in range(ROUNDS):
                for variant in VARIANTS:
                    # The slow one less often: it is there for its size, not its decimals.
                    if variant == VARIANTS[2] and number % 10:
                        continue
                    invocation = environment.invoke({"variant": variant})
                    assert invocation.error is None, invocation.logs
                    times[variant].append(invocation.response)
    rows = {variant: spread(values) for variant, values in times.items()}
    base = rows["bare driver"]["median"]
    for row in rows.values():
        row["ratio"] = round(row["median"] / base, 2)
    return {"unit": "ms", "rows": rows}
