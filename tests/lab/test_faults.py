"""Faults of the network and of nodes, while environments are frozen and while they run.

Eight execution environments, one for each operation and way to sign in, each of which a layout of
its own has, live through all of them.
An invocation that a fault strikes succeeds, or answers 503 before its deadline; the next one after
the fault succeeds in the same process; what is counted was done once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from tests.lab import faults
from tests.lab.cluster import Cluster
from tests.lab.conftest import Deployer
from tests.lab.faults import FAULTS, PHASES, READS, Fleet, Phase, allowed, status, summary
from tests.lab.leaks import Canaries

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def fleet(cluster: Cluster, deployed: Deployer, canaries: Canaries) -> Iterator[Fleet]:
    with faults.fleet(cluster, deployed, canaries) as fleet:
        yield fleet


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("name", FAULTS)
def test_fault(name: str, phase: Phase, fleet: Fleet, figure: Callable[[str], None]) -> None:
    fault = FAULTS[name]
    fleet.revive()
    pids = fleet.pids()
    warm = fleet.warm_up()
    assert {status(it) for it in warm.values()} == {200}, warm

    struck = fleet.live_through(fault, phase)
    after = fleet.warm_up()

    figure(", ".join(f"{operation} {it}" for operation, it in summary(struck).items()))
    for key, invocation in struck.items():
        assert status(invocation) in allowed(fault.outcome(phase), key[1]), (key, invocation)
    for key, invocation in after.items():
        assert status(invocation) == 200, (key, invocation)
        if key[1] in READS:
            assert json.loads(invocation.response["body"]) == {"result": 42}
    assert fleet.pids() == pids, "no environment was lost"
    fleet.check_counts()
