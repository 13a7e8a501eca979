"""A sharded cluster: connections to each mongos, and routers and shards that fail.

The routers are MongoDB's own code within a mongod (tests/support/sharded.py), not the program
mongos.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.lab import faults
from tests.lab.cluster import Cluster, ShardedCluster
from tests.lab.conftest import Deployer
from tests.lab.faults import HOPELESS, PHASES, SHORT, Fault, Fleet, Phase, status
from tests.lab.leaks import Canaries
from tests.lab.test_reuse import HEARTBEAT, INVOCATIONS, Service
from tests.support import budget
from tests.support.servers import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sharded(canaries: Canaries) -> Iterator[ShardedCluster]:
    with ShardedCluster(canaries) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def fleet(sharded: ShardedCluster, deployed: Deployer, canaries: Canaries) -> Iterator[Fleet]:
    # A router within mongod leaves out this default, by which a write outlives the shard's node.
    with faults.fleet(sharded, deployed, canaries, w="majority") as fleet:
        yield fleet


@pytest.mark.parametrize("options", ["", "srvMaxHosts=1"])
def test_connections_to_each_mongos(
    options: str, deployed: Deployer, sharded: ShardedCluster, figure: Callable[[str], None]
) -> None:
    """Of each mongos that an environment knows it holds a monitor's and, once used, the pool's."""
    project = deployed(layout="multi", auth="iam")
    variables = project.variables(sharded.atlas.host, heartbeatFrequencyMS="500")
    variables |= sharded.environment | sharded.sign_in("iam") | {"MONGODB_OPTIONS": options}
    known = 1 if options else len(sharded.members)
    before = [proxy.accepted for proxy in sharded.proxies]

    def opened() -> list[int]:
        return [it.accepted - then for it, then in zip(sharded.proxies, before, strict=True)]

    with ExitStack() as stack:
        service = Service(project, variables, stack)
        for number in (1, 10):
            least = number * (known + 1)
            service.grow(number)
            wait_until(lambda: sum(opened()) >= least, "connections")  # noqa: B023
            for _ in range(INVOCATIONS):
                service.invoke()
            time.sleep(2 * HEARTBEAT)
            found = opened()
            figure(f"{number} environments: {' + '.join(map(str, found))} connections")
            most = budget.connections(number, primary=True)
            assert least <= sum(found) <= known * most
            assert max(found) <= most
            if options:  # an environment has both of its connections at one mongos
                assert [it % 2 for it in found] == [0, 0]


def lose(*numbers: int, again: bool = False) -> Callable[[Cluster], None]:
    """Kill routers, and start them again."""

    def strike(cluster: Cluster) -> None:
        assert isinstance(cluster, ShardedCluster)
        members = [cluster.members[it] for it in numbers]
        cluster.lose(*members)
        for member in members if again else []:
            member.launch()

    return strike


def lose_shard(*, again: bool = False) -> Callable[[Cluster], None]:
    """Kill the only node of the shard that has what isn't sharded, and start it again."""

    def strike(cluster: Cluster) -> None:
        assert isinstance(cluster, ShardedCluster)
        cluster.shards[0].kill()
        if again:
            cluster.shards[0].launch()

    return strike


# The driver repeats what it may at the other mongos. The ping before doesn't help here: the next
# operation may take another mongos than it did.
ONE_LOST: tuple[faults.Outcome, faults.Outcome, faults.Outcome] = (
    "retryable succeed",
    "retryable succeed",
    "retryable succeed",
)
ANY: tuple[faults.Outcome, faults.Outcome, faults.Outcome] = ("any", "any", "any")
FAULTS = {
    "a mongos killed": Fault(lose(0), ONE_LOST, on_the_way=None),
    "both killed": Fault(lose(0, 1), HOPELESS, on_the_way=None, timeout=SHORT),
    "a mongos restarted": Fault(lose(0, again=True), ANY, on_the_way=None),
    "a shard's primary killed": Fault(lose_shard(), ANY, on_the_way=None, timeout=SHORT),
    "a shard's primary restarted": Fault(lose_shard(again=True), ANY, on_the_way=None),
}
CASES: list[tuple[str, Phase]] = [
    *(("a mongos killed", phase) for phase in PHASES),
    *((name, "frozen") for name in FAULTS if name != "a mongos killed"),
]


@pytest.mark.parametrize(("name", "phase"), CASES)
def test_fault(name: str, phase: Phase, fleet: Fleet, figure: Callable[[str], None]) -> None:
    struck, _ = fleet.prove(FAULTS[name], phase, figure)

    for key, invocation in struck.items():
        if name == "a shard's primary killed" and key[1] == "find":
            assert status(invocation) == 503
