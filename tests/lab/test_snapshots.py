"""Lambda SnapStart: what copies of one environment share, and what they find when restored.

`tests/test_snapshots.py` shows that the copies here are copies, in what nobody renews.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.lab.cluster import Auth, Cluster
from tests.lab.conftest import Deployer
from tests.lab.deployed import request
from tests.lab.faults import LAYOUTS, status
from tests.lab.leaks import Canaries
from tests.lab.versions import DIFFERENCES, Version, published, restore
from tests.support import budget
from tests.support.execution_environment import INIT_LIMIT

pytestmark = pytest.mark.slow

COPIES = 10
DOCUMENTS = 1_000


@pytest.fixture(scope="module", params=LAYOUTS)
def version(
    request: pytest.FixtureRequest, cluster: Cluster, deployed: Deployer, canaries: Canaries
) -> Iterator[Version]:
    """A version of the function that returns what copies generate."""
    auth: Auth = request.param
    project = deployed(layout=LAYOUTS[auth], auth=auth, snapstart="yes")
    handler = project.added("copies.handler")
    with published(project, handler, cluster, auth, canaries) as version:
        yield version


def test_the_snapshot_holds_no_connection(version: Version) -> None:
    assert "ConnectionsOpened" in version.snapshot.init_logs, "there was one"
    assert version.snapshot.sockets == []


def test_copies_generate_what_no_other_does(
    version: Version, figure: Callable[[str], None]
) -> None:
    """The ids of documents are unique to the server, too: it would refuse a second one."""
    collection = version.cluster.database.copies
    collection.drop()
    with ExitStack() as stack, ThreadPoolExecutor(COPIES) as pool:
        copies = [version.environment() for _ in range(COPIES)]
        for copy in copies:
            stack.callback(copy.stop)
        list(pool.map(lambda it: it.start(), copies))
        invocations = list(pool.map(lambda it: it.invoke({"documents": DOCUMENTS}), copies))

    assert [it.error for it in invocations] == [None] * COPIES
    found = [it.response for it in invocations]
    assert len({key for it in found for key in it["ids"]}) == COPIES * DOCUMENTS
    assert collection.count_documents({}) == COPIES * DOCUMENTS
    for name in ("session", "random", "uuid"):
        assert len({it[name] for it in found}) == COPIES, name
    processes = {key[8:18] for it in found for key in it["ids"]}
    assert len(processes) == COPIES, "the random part"
    figure(f"{COPIES * DOCUMENTS} ObjectIds of {COPIES} copies, all different")


def test_a_copy_holds_the_connections_that_any_environment_does(version: Version) -> None:
    cluster = version.cluster
    members = sorted(cluster.members, key=lambda it: it is not cluster.primary)
    proxies = [cluster.proxy(it) for it in members]
    before = [it.accepted for it in proxies]

    with ExitStack() as stack:
        copies = [stack.enter_context(version.environment()) for _ in range(3)]
        for copy in copies * 20:
            assert copy.invoke({"documents": 1}).error is None

    opened = [it.accepted - earlier for it, earlier in zip(proxies, before, strict=True)]
    primary, *others = (budget.connections(3, primary=it is cluster.primary) for it in members)
    assert opened == [primary, *others]


def test_a_copy_that_was_frozen_goes_on(version: Version) -> None:
    with version.environment() as copy:
        before = [it.accepted for it in version.cluster.proxies]
        for _ in range(3):
            copy.freeze()
            assert copy.invoke({"documents": 1}).error is None
        assert [it.accepted for it in version.cluster.proxies] == before


@pytest.mark.parametrize("auth", LAYOUTS)
def test_a_snapshot_is_taken_without_the_database(
    auth: Auth, small_cluster: Cluster, deployed: Deployer, canaries: Canaries
) -> None:
    """INIT and the hooks end as ever: otherwise Lambda would publish no version."""
    project = deployed(layout=LAYOUTS[auth], auth=auth, snapstart="yes")
    function = project.functions[0]
    with ExitStack() as stack:
        stack.callback(small_cluster.heal)
        small_cluster.atlas.outage = "SERVFAIL"
        version = stack.enter_context(
            published(project, function.handler, small_cluster, auth, canaries)
        )
        small_cluster.heal()
        copy = stack.enter_context(version.environment())
        event = request(next(it for it in function.routes if it.startswith("GET")))
        assert status(copy.invoke(event)) == 200


@pytest.mark.parametrize(
    ("name", "auth"),
    [(name, auth) for name, difference in DIFFERENCES.items() for auth in difference.auths],
)
def test_difference(
    name: str,
    auth: Auth,
    cluster: Cluster,
    small_cluster: Cluster,
    deployed: Deployer,
    canaries: Canaries,
    figure: Callable[[str], None],
) -> None:
    difference = DIFFERENCES[name]
    project = deployed(layout=LAYOUTS[auth], auth=auth, snapstart="yes")

    restored = restore(difference, project, {1: small_cluster, 3: cluster}, auth, canaries)

    assert restored.seconds < INIT_LIMIT
    assert status(restored.first) == difference.status, restored.first
    assert status(restored.then) == 200, restored.then
    figure(
        f"restored in {restored.seconds * 1000:,.0f} ms, "
        f"{status(restored.first)} in {restored.first.seconds * 1000:,.0f} ms"
    )
