"""With the share of CPU that Lambda gives with the function's memory, and with half of that."""

from collections.abc import Callable

import pytest

from tests.lab.cluster import Auth, Cluster
from tests.lab.conftest import Deployer
from tests.lab.deployed import request
from tests.lab.leaks import Canaries, WatchedEnvironment

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("cpu_shares")]


@pytest.mark.parametrize("part", [1, 2], ids=["all", "half"])
@pytest.mark.parametrize("auth", ["iam", "password"])
def test_init_connects(
    auth: Auth,
    part: int,
    small_cluster: Cluster,
    deployed: Deployer,
    canaries: Canaries,
    figure: Callable[[str], None],
) -> None:
    """In time, so that the first invocation has a connection already, with the most to import."""
    project = deployed(layout="web", auth=auth)
    memory = project.template["Globals"]["Function"]["MemorySize"] // part
    variables = project.variables(small_cluster.atlas.host)
    variables |= small_cluster.environment | small_cluster.sign_in(auth)
    with WatchedEnvironment(
        project.code,
        project.functions[0].handler,
        variables,
        memory=memory,
        cpu_limited=True,
        canaries=canaries,
    ) as environment:
        first = environment.invoke(request("GET /items"))

    figure(f"{memory} MB: INIT {environment.init_seconds:.1f} s, answer {first.seconds:.2f} s")
    assert first.response["statusCode"] == 200, environment.init_logs + first.logs
    assert "ConnectionsOpened" in environment.init_logs
    assert "ConnectionsOpened" not in first.logs
