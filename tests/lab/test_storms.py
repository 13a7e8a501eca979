"""Storms, with a few environments: what `make bench` measures with hundreds holds together.

No figure is asserted but the number of connections and logins, which is the budget's.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.cluster import Auth
from tests.lab.conftest import Deployer
from tests.lab.storms import Coast, Storm, coast
from tests.support import budget

pytestmark = pytest.mark.slow

ENVIRONMENTS = 4


@pytest.fixture(scope="module")
def cluster() -> Iterator[Coast]:
    with coast() as cluster:
        yield cluster


def all_are_answered(storm: Storm) -> None:
    """Each caller has 200 in the end, and each environment has signed in once."""
    assert [call.statuses[-1] for call in storm.calls] == [200] * ENVIRONMENTS
    assert set(storm.answers) <= {200, 503}
    assert len(storm.logins) == ENVIRONMENTS
    assert sum(storm.per_second()) == ENVIRONMENTS
    assert 0 < storm.peak_logins <= ENVIRONMENTS
    assert storm.peak_connections >= budget.connections(ENVIRONMENTS, primary=True)


@pytest.mark.parametrize("auth", ["iam", "password"])
def test_a_start_and_a_failover(auth: Auth, cluster: Coast, deployed: Deployer) -> None:
    project = deployed(layout="multi", auth=auth)
    with cluster.crowd(project, auth, ENVIRONMENTS) as crowd:
        assert not any(task.done() for task in crowd.starting), "they wait"
        started = cluster.start(crowd)
        assert len({it.pid for it in crowd.environments}) == ENVIRONMENTS
        all_are_answered(started)
        assert started.answers == {200: ENVIRONMENTS}
        assert started.created == budget.connections(ENVIRONMENTS, primary=True)

        old = cluster.primary
        all_are_answered(cluster.failover(crowd))
        assert cluster.primary is not old


def test_a_restart_of_all_nodes(cluster: Coast, deployed: Deployer) -> None:
    """Functions that give up before the nodes are back: their callers come back when they may."""
    project = deployed(layout="multi", auth="iam")
    with cluster.crowd(project, "iam", ENVIRONMENTS, timeout=3.0) as crowd:
        cluster.start(crowd)
        storm = cluster.restart(crowd, down=3.0)
    all_are_answered(storm)
    assert all(call.statuses[0] == 503 for call in storm.calls)
