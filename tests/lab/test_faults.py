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
from tests.lab.faults import FAULTS, PHASES, READS, Fleet, Phase
from tests.lab.leaks import Canaries

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def fleet(cluster: Cluster, deployed: Deployer, canaries: Canaries) -> Iterator[Fleet]:
    with faults.fleet(cluster, deployed, canaries) as fleet:
        yield fleet


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("name", FAULTS)
def test_fault(name: str, phase: Phase, fleet: Fleet, figure: Callable[[str], None]) -> None:
    _, after = fleet.prove(FAULTS[name], phase, figure)

    for key, invocation in after.items():
        if key[1] in READS:
            assert json.loads(invocation.response["body"]) == {"result": 42}
