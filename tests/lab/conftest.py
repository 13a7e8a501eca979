"""Fixtures: what the lab's tests share, started once for each process of the test run."""

from collections.abc import Callable, Iterator

import pytest

from tests.lab.cluster import Cluster
from tests.lab.deployed import Deployed, deploy
from tests.lab.leaks import Canaries

Deployer = Callable[..., Deployed]


@pytest.fixture(scope="session")
def canaries() -> Canaries:
    """Every secret that the lab makes: no log and no answer may show one."""
    return Canaries()


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Deployer:
    """`deployed(**answers)`: a project with those answers, built once."""
    builds: dict[frozenset[tuple[str, str]], Deployed] = {}

    def shared(**answers: str) -> Deployed:
        key = frozenset(answers.items())
        if key not in builds:
            builds[key] = deploy(tmp_path_factory.mktemp("deployed"), **answers)
        return builds[key]

    return shared


@pytest.fixture(scope="session")
def cluster(canaries: Canaries) -> Iterator[Cluster]:
    """Three nodes."""
    with Cluster(canaries, nodes=3) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def small_cluster(canaries: Canaries) -> Iterator[Cluster]:
    """One node."""
    with Cluster(canaries) as cluster:
        yield cluster
