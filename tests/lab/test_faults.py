"""Faults of the network and of nodes, while environments are frozen and while they run.

Eight execution environments, one for each operation and way to sign in, live through all of them.
An invocation that a fault strikes succeeds, or answers 503 before its deadline; the next one after
the fault succeeds in the same process; what is counted was done once.
"""

from __future__ import annotations

import itertools
import json
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal

import pytest

from tests.lab.cluster import Auth, Cluster
from tests.lab.conftest import Deployer
from tests.lab.leaks import Canaries, WatchedEnvironment
from tests.support.execution_environment import Invocation
from tests.support.mongod import Mongod
from tests.support.servers import wait_until

pytestmark = pytest.mark.slow

Phase = Literal["frozen", "frozen long", "running"]
Outcome = Literal["all succeed", "retryable succeed", "none succeeds", "any"]
Key = tuple[Auth, str]

OPERATIONS = ("find", "insert", "update_many", "aggregate")
RETRYABLE = ("find", "insert", "aggregate")  # by the driver
COMMANDS = {"update_many": "update"}  # where the server has another name for it
PHASES: tuple[Phase, ...] = ("frozen", "frozen long", "running")
AUTHS: tuple[Auth, ...] = ("iam", "password")

TIMEOUT = 6.0  # of the functions; operations have a second less
MAX_IDLE = 1.0  # of the functions, instead of a minute; the driver's heartbeat is as much quicker
LONG = 1.2  # longer than that
DOCUMENTS = 3  # in each group that update_many counts in

numbers = itertools.count(1)


@dataclass(frozen=True)
class Fault:
    """What goes wrong, until `Cluster.heal`, and what then comes of invocations in each phase.

    In the phase "running" it strikes when the operations' requests or replies are on the way to
    or from the primary; replies are of operations that have been carried out.
    """

    strike: Callable[[Cluster], None]
    outcomes: tuple[Outcome, Outcome, Outcome]
    on_the_way: Literal["requests", "replies"] | None = "replies"


def everywhere(method: str) -> Callable[[Cluster], None]:
    """Call a method of every proxy."""

    def strike(cluster: Cluster) -> None:
        for proxy in cluster.proxies:
            getattr(proxy, method)()

    return strike


def delay(seconds: float) -> Callable[[Cluster], None]:
    """Let every packet take so long."""

    def strike(cluster: Cluster) -> None:
        for proxy in cluster.proxies:
            proxy.delay = seconds
            proxy.release()

    return strike


def kill(cluster: Cluster) -> None:
    """Lose the primary, and what it was about to answer."""
    primary = cluster.primary
    primary.kill()
    cluster.proxy(primary).reset()


def restart(cluster: Cluster) -> None:
    """Lose the primary for as long as it takes to start again."""
    primary = cluster.primary
    kill(cluster)
    primary.launch()


def step_down(cluster: Cluster) -> None:
    """Have another primary, then let the requests arrive at the old one."""
    old = cluster.primary
    cluster.step_down()
    cluster.proxy(old).release()


def cut_off_primary(cluster: Cluster) -> None:
    cluster.cut_off(cluster.primary)


def cut_off_secondary(cluster: Cluster) -> None:
    primary = cluster.primary
    cluster.cut_off(next(member for member in cluster.members if member is not primary))
    cluster.proxy(primary).release()


LOST_CONNECTION: tuple[Outcome, Outcome, Outcome] = (
    "retryable succeed",
    "all succeed",  # thanks to the ping
    "retryable succeed",
)
FAULTS = {
    "FIN": Fault(everywhere("finish"), LOST_CONNECTION),
    "RST": Fault(everywhere("reset"), LOST_CONNECTION),
    "RST on the next packet": Fault(everywhere("forget"), LOST_CONNECTION, on_the_way=None),
    "lost connections": Fault(everywhere("lose"), LOST_CONNECTION),
    "black hole": Fault(
        everywhere("partition"), ("none succeeds", "none succeeds", "none succeeds")
    ),
    "latency": Fault(delay(0.2), ("all succeed", "all succeed", "all succeed")),
    "latency past the deadline": Fault(delay(4.0), ("none succeeds", "none succeeds", "any")),
    # A server that has just started may refuse for a moment, see test_outages.
    "restart": Fault(restart, ("any", "any", "any")),
    "stepdown": Fault(step_down, LOST_CONNECTION, on_the_way="requests"),
    "killed primary": Fault(kill, LOST_CONNECTION),
    "primary cut off": Fault(cut_off_primary, ("any", "all succeed", "any")),
    "secondary cut off": Fault(cut_off_secondary, ("all succeed", "all succeed", "all succeed")),
}


class Fleet:
    """Execution environments that are invoked together, each with an operation of its own."""

    def __init__(self, environments: dict[Key, WatchedEnvironment], cluster: Cluster) -> None:
        self.environments = environments
        self._cluster = cluster
        self._pool = ThreadPoolExecutor(len(environments))
        self._asked: dict[int, Key] = {}
        self._answers: dict[int, Invocation] = {}

    def revive(self) -> None:
        """Start those whose processes an earlier failure has ended."""
        for environment in self.environments.values():
            if not environment.alive:
                environment.start()

    def pids(self) -> dict[Key, int]:
        return {key: environment.pid for key, environment in self.environments.items()}

    def freeze(self) -> None:
        for environment in self.environments.values():
            environment.freeze()

    def invoke(self, during: Callable[[], None] = lambda: None) -> dict[Key, Invocation]:
        """Invoke all at once and meanwhile do something."""
        asked = {next(numbers): key for key in self.environments}
        groups = [{"group": number, "count": 0} for number in asked for _ in range(DOCUMENTS)]
        self._cluster.database.counters.insert_many(groups)
        futures = {
            number: self._pool.submit(
                self.environments[key].invoke, {"operation": key[1], "number": number}
            )
            for number, key in asked.items()
        }
        during()
        answers = {number: future.result() for number, future in futures.items()}
        self._asked |= asked
        self._answers |= answers
        return {asked[number]: answer for number, answer in answers.items()}

    def invoke_until(self, fault: Fault) -> dict[Key, Invocation]:
        """Invoke all at once, and strike when every operation is under way."""
        primary = self._cluster.primary
        if fault.on_the_way is not None:
            self._cluster.proxy(primary).hold(fault.on_the_way)
        before = executed(primary)

        def all_executed() -> bool:
            return all(executed(primary)[it] - before[it] >= len(AUTHS) for it in OPERATIONS)

        def strike() -> None:
            if fault.on_the_way == "replies":
                wait_until(all_executed, "execution of every operation")
            elif fault.on_the_way == "requests":
                time.sleep(0.2)  # for them to be on the way; nothing shows when
            fault.strike(self._cluster)

        if fault.on_the_way is None:
            fault.strike(self._cluster)
            return self.invoke()
        return self.invoke(strike)

    def check_counts(self) -> None:
        """What was answered with 200 was done once, what wasn't, at most once."""
        database = self._cluster.database
        for number, (_, operation) in self._asked.items():
            done = status(self._answers[number]) == 200
            if operation == "insert":
                counts = [database.inserted.count_documents({"number": number})]
            elif operation == "update_many":
                counts = [it["count"] for it in database.counters.find({"group": number})]
            else:
                continue
            assert set(counts) <= ({1} if done else {0, 1}), (operation, done, counts)
        self._asked.clear()


@pytest.fixture(scope="module")
def fleet(cluster: Cluster, deployed: Deployer, canaries: Canaries) -> Iterator[Fleet]:
    """One environment for each operation and way to sign in."""
    cluster.database.fixed.replace_one({"_id": "answer"}, {"value": 42}, upsert=True)
    cluster.database.counters.create_index("group")
    cluster.database.inserted.create_index("number")
    environments = {}
    with ExitStack() as stack:
        for auth in AUTHS:
            project = deployed(layout="multi", auth=auth)
            variables = project.variables(cluster.atlas.host, heartbeatFrequencyMS="500")
            variables |= cluster.environment | cluster.sign_in(auth)
            for operation in OPERATIONS:
                environments[auth, operation] = stack.enter_context(
                    WatchedEnvironment(
                        project.code,
                        project.added("operations.handler"),
                        variables | {"LAB_MAX_IDLE": str(MAX_IDLE)},
                        canaries=canaries,
                        hosts=cluster.hosts,
                        timeout=TIMEOUT,
                    )
                )
        yield Fleet(environments, cluster)


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("name", FAULTS)
def test_fault(
    name: str, phase: Phase, cluster: Cluster, fleet: Fleet, figure: Callable[[str], None]
) -> None:
    fault = FAULTS[name]
    fleet.revive()
    pids = fleet.pids()
    warm = fleet.invoke()
    assert {status(it) for it in warm.values()} == {200}, warm

    try:
        if phase == "running":
            struck = fleet.invoke_until(fault)
        else:
            fleet.freeze()
            fault.strike(cluster)
            time.sleep(LONG if phase == "frozen long" else 0)
            struck = fleet.invoke()
    finally:
        cluster.heal()
    after = fleet.invoke()

    figure(table(struck))
    expected = fault.outcomes[PHASES.index(phase)]
    for key, invocation in struck.items():
        assert status(invocation) in allowed(expected, key[1]), (key, invocation)
    for key, invocation in after.items():
        assert status(invocation) == 200, (key, invocation)
        if key[1] in ("find", "aggregate"):
            assert json.loads(invocation.response["body"]) == {"result": 42}
    assert fleet.pids() == pids, "no environment was lost"
    fleet.check_counts()


def executed(member: Mongod) -> dict[str, int]:
    """How often the member has carried out each operation."""
    commands = member.admin.admin.command("serverStatus")["metrics"]["commands"]
    return {it: commands[COMMANDS.get(it, it)]["total"] for it in OPERATIONS}


def status(invocation: Invocation) -> int | None:
    """What the handler answered; None if it raised or was ended."""
    return None if invocation.error else invocation.response["statusCode"]


def allowed(outcome: Outcome, operation: str) -> set[int]:
    if outcome == "none succeeds":
        return {503}
    if outcome == "all succeed" or (outcome == "retryable succeed" and operation in RETRYABLE):
        return {200}
    return {200, 503}


def table(invocations: dict[Key, Invocation]) -> str:
    """Statuses and median milliseconds of each operation."""
    cells = []
    for operation in OPERATIONS:
        found = [it for key, it in invocations.items() if key[1] == operation]
        statuses = "/".join(sorted({str(status(it)) for it in found}))
        cells.append(
            f"{operation} {statuses} {statistics.median(it.seconds for it in found):.3f} s"
        )
    return ", ".join(cells)
