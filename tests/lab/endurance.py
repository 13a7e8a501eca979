"""The long life of an execution environment, frozen and cut off now and then.

Lambda's runtime client keeps some 140 bytes of each invocation (awslambdaric 4.2.2), whatever the
handler is. So an environment whose handler does nothing lives beside it, and what that takes in
addition isn't ours.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab.cluster import DATABASE
from tests.lab.deployed import Deployed, request
from tests.lab.fault_proxy import FaultProxy
from tests.support.execution_environment import ExecutionEnvironment
from tests.support.mongod import Mongod

SAMPLES = 200
FREEZE, FAULT = 0.01, 0.005  # how often, per invocation
FAULTS = {"FIN": 6, "RST": 6, "RST on the next packet": 6, "restart": 1}  # how often, in parts

# What may be more in the last tenth than in the first: nothing, but an average shows when in a
# tenth the faults were, and an allocator takes memory in steps.
TOLERANCE = {"memory, MB": 3.0, "threads": 0.5, "sockets": 0.5, "connections": 0.5}

Sample = dict[str, float]


@dataclass
class Life:
    """What was done, what was answered, and samples of what could grow, evenly spread."""

    invocations: int
    freezes: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    samples: list[Sample] = field(default_factory=list)
    alone: list[Sample] = field(default_factory=list)  # of the runtime client with an idle handler

    @property
    def tenths(self) -> tuple[Sample, Sample]:
        """The means of the first and of the last tenth of the samples."""
        return _tenths(self.samples)

    @property
    def tenths_alone(self) -> tuple[Sample, Sample]:
        """The same of the runtime client alone."""
        return _tenths(self.alone)

    def check(self) -> None:
        """Nothing of ours has grown, and no fault has cost more than one invocation."""
        first, last = self.tenths
        before, after = self.tenths_alone
        for name, tolerance in TOLERANCE.items():
            grown = last[name] - first[name] - (after.get(name, 0) - before.get(name, 0))
            assert grown <= tolerance, (name, first, last, before, after)
        assert self.statuses.keys() <= {200, 201, 204, 404, 503}
        assert self.statuses[503] <= self.faults.total()


def live(project: Deployed, invocations: int, seed: int = 7) -> Life:
    """Invoke the one function of such a project so often, on each of its routes."""
    chance = random.Random(seed)  # noqa: S311
    life = Life(invocations)
    [function] = project.functions
    with Mongod() as mongod, FaultProxy(mongod.port) as proxy:
        variables = project.variables("cluster0.ab1cd.mongodb.net")
        variables["MONGODB_URI"] = f"mongodb://127.0.0.1:{proxy.port}/{DATABASE}"
        with (
            ExecutionEnvironment(
                project.code, function.handler, variables, function_name=function.name
            ) as environment,
            ExecutionEnvironment(project.code, project.added("nothing.handler")) as alone,
        ):
            requests = _requests()
            event = next(requests)
            for number in range(1, invocations + 1):
                if chance.random() < FREEZE:
                    environment.freeze()
                    life.freezes += 1
                if chance.random() < FAULT:
                    [fault] = chance.choices(list(FAULTS), list(FAULTS.values()))
                    _strike(fault, mongod, proxy)
                    life.faults[fault] += 1
                invocation = environment.invoke(event)
                assert invocation.error is None, invocation.logs
                life.statuses[invocation.response["statusCode"]] += 1
                event = requests.send(invocation.response)
                assert alone.invoke({}).error is None
                if number % max(invocations // SAMPLES, 1) == 0:
                    clients = mongod.clients(function.name)
                    life.samples.append(_footprint(environment.pid) | {"connections": len(clients)})
                    life.alone.append(_footprint(alone.pid))
    return life


def _requests() -> Generator[dict[str, Any], Any, None]:
    """Yield requests, and be sent the answers: create an item, read, list and delete it."""
    number = 0
    answer = yield request("GET /items")
    while True:
        number += 1
        body = json.dumps({"sku": f"N-{number}", "name": "Mug"})
        answer = yield request("POST /items", body=body)
        created = answer["statusCode"] == 201
        key = {"id": json.loads(answer["body"])["id"] if created else "0" * 24}
        yield request("GET /items/{id}", pathParameters=key)
        yield request("GET /items", queryStringParameters={"limit": "5"})
        yield request("DELETE /items/{id}", pathParameters=key)


def _strike(fault: str, mongod: Mongod, proxy: FaultProxy) -> None:
    match fault:
        case "FIN":
            proxy.finish()
        case "RST":
            proxy.reset()
        case "RST on the next packet":
            proxy.forget()
        case "restart":
            mongod.restart()


def _footprint(pid: int) -> Sample:
    """What the process holds."""
    process = Path(f"/proc/{pid}")
    lines = (process / "status").read_text("utf-8").splitlines()
    status = dict(line.split(":", 1) for line in lines)
    files = [str(file.readlink()) for file in (process / "fd").iterdir()]
    return {
        "memory, MB": int(status["VmRSS"].split()[0]) * 1024 / 1_000_000,
        "threads": int(status["Threads"]),
        "sockets": sum(target.startswith("socket:") for target in files),
    }


def _tenths(samples: list[Sample]) -> tuple[Sample, Sample]:
    size = max(len(samples) // 10, 1)
    return _mean(samples[:size]), _mean(samples[-size:])


def _mean(samples: list[Sample]) -> Sample:
    return {name: sum(it[name] for it in samples) / len(samples) for name in samples[0]}
