"""A long life: 100,000 warm invocations, frozen and cut off now and then."""

import random
from pathlib import Path
from typing import Any

from benchmarks.artefact import built
from tests.support.execution_environment import ExecutionEnvironment
from tests.support.mongod import Mongod

INVOCATIONS = 100_000
FREEZE, RESTART = 0.001, 0.0001  # how often, per invocation


def measure() -> dict[str, Any]:
    """Compare the means of the first and the last tenth; nothing may grow."""
    chance = random.Random(7)  # noqa: S311
    samples: list[dict[str, int]] = []
    statuses: dict[str, int] = {}
    freezes = restarts = 0
    with built(layout="single", auth="iam") as (project, code), Mongod() as mongod:
        variables = {"MONGODB_URI": mongod.uri, "MONGODB_DATABASE": "app"}
        handler = f"{project.package}.app.handler"
        with ExecutionEnvironment(code, handler, variables) as environment:
            for number in range(INVOCATIONS):
                if chance.random() < FREEZE:
                    environment.freeze()
                    freezes += 1
                if chance.random() < RESTART:
                    mongod.restart()
                    restarts += 1
                invocation = environment.invoke({})
                assert invocation.error is None, invocation.logs
                status = str(invocation.response["statusCode"])
                statuses[status] = statuses.get(status, 0) + 1
                if number % 100 == 0:
                    samples.append(footprint(environment.pid))
                    samples[-1]["connections"] = len(mongod.clients("function"))
    tenth = len(samples) // 10
    rows = {
        name: {
            "first tenth": mean(samples[:tenth], name),
            "last tenth": mean(samples[-tenth:], name),
        }
        for name in samples[0]
    }
    counts = {"invocations": INVOCATIONS, "freezes": freezes, "restarts": restarts}
    return {"unit": "mean", "counts": counts, "answers": statuses, "rows": rows}


def footprint(pid: int) -> dict[str, int]:
    """Count what a process could leak."""
    process = Path(f"/proc/{pid}")
    status = dict(
        line.split(":", 1) for line in (process / "status").read_text("utf-8").splitlines()
    )
    files = [str(file.readlink()) for file in (process / "fd").iterdir()]
    return {
        "memory, kB": int(status["VmRSS"].split()[0]),
        "threads": int(status["Threads"]),
        "sockets": sum(target.startswith("socket:") for target in files),
    }


def mean(samples: list[dict[str, int]], name: str) -> float:
    return round(sum(sample[name] for sample in samples) / len(samples), 1)
