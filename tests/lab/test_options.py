"""ConnectionOptions in an execution environment: what the cluster needs, and what it can't have."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.lab.cluster import Cluster
from tests.lab.conftest import Deployer
from tests.lab.deployed import request
from tests.lab.leaks import Canaries, WatchedEnvironment
from tests.support import budget
from tests.support.servers import wait_until

pytestmark = pytest.mark.slow

NO_FIT = "MONGODB_OPTIONS doesn't fit the cluster: srvMaxHosts is for sharded ones"
REFUSED = "MONGODB_OPTIONS must be of srvMaxHosts, readPreference, "


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("srvMaxHosts=3", NO_FIT),  # the TXT record says replicaSet
        ("maxPoolSize=100", REFUSED),
        ("authMechanism=PLAIN", REFUSED),
    ],
)
def test_what_cannot_be_is_said_and_ends_nothing(
    options: str, said: str, deployed: Deployer, small_cluster: Cluster, canaries: Canaries
) -> None:
    project = deployed(layout="single", auth="iam")
    variables = project.variables(small_cluster.atlas.host) | small_cluster.environment
    variables |= small_cluster.sign_in("iam") | {"MONGODB_OPTIONS": options}
    [function] = project.functions
    with WatchedEnvironment(
        project.code, function.handler, variables, canaries=canaries, hosts=small_cluster.hosts
    ) as environment:
        assert said in environment.init_logs
        for _ in range(2):
            invocation = environment.invoke(request("GET /"))
            assert invocation.response["statusCode"] == 503
            assert said in invocation.logs


def test_reads_of_secondaries_take_as_many_connections_as_the_primary(
    deployed: Deployer, cluster: Cluster, canaries: Canaries, figure: Callable[[str], None]
) -> None:
    """And what goes over them is compressed."""
    project = deployed(layout="multi", auth="iam")
    variables = project.variables(cluster.atlas.host, heartbeatFrequencyMS="500")
    variables |= cluster.environment | cluster.sign_in("iam")
    variables["MONGODB_OPTIONS"] = "readPreference=secondary&compressors=zlib"
    [function] = project.functions
    before = [it.accepted for it in cluster.proxies]
    status = [it.admin.admin.command("serverStatus") for it in cluster.members]
    compressed = sum(
        it["network"]["compression"]["zlib"]["decompressor"]["bytesIn"] for it in status
    )
    with WatchedEnvironment(
        project.code, function.handler, variables, canaries=canaries, hosts=cluster.hosts
    ) as environment:

        def opened() -> list[int]:
            return [it.accepted - then for it, then in zip(cluster.proxies, before, strict=True)]

        for _ in range(10):
            assert environment.invoke(request("GET /items")).response["statusCode"] == 200
        wait_until(lambda: sum(opened()) > len(cluster.members) + 1, "connections")
        figure(f"1 environment: {' + '.join(map(str, opened()))} connections")

    assert max(opened()) <= budget.connections(1, primary=True)
    status = [it.admin.admin.command("serverStatus") for it in cluster.members]
    assert (
        sum(it["network"]["compression"]["zlib"]["decompressor"]["bytesIn"] for it in status)
        > compressed
    )
