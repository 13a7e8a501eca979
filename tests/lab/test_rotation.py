"""A password is rotated: in every order of secret changed, password changed, connection lost.

Four execution environments live through all orders, with one thread and with eight that race. What
each must do follows from three facts: whether it has a connection, whether the credentials that it
holds are still good, and whether those in the secret are.
"""

from __future__ import annotations

import itertools
import json
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack

import pytest

from tests.lab.cluster import DATABASE, Cluster
from tests.lab.conftest import Deployer
from tests.lab.deployed import Deployed
from tests.lab.faults import LONG, MAX_IDLE, TIMEOUT
from tests.lab.leaks import Canaries, WatchedEnvironment
from tests.lab.rotation import rotate_under_load
from tests.support.servers import wait_until

pytestmark = pytest.mark.slow

STEPS = ("secret changed", "password changed", "connection lost")
REFUSED = "Unavailable: MongoDB refuses the password in the secret: is it the database user's?"
Credentials = tuple[str, str]


class Rotation:
    """A secret and its database users: one, or two that take turns."""

    def __init__(self, cluster: Cluster, canaries: Canaries, users: int) -> None:
        self.name = f"rotation-{uuid.uuid4().hex[:8]}"
        self.users = users
        self._cluster = cluster
        self._canaries = canaries
        self._passwords: dict[str, str] = {}  # of the database users
        names = [f"user-{uuid.uuid4().hex[:8]}" for _ in range(users)]
        self._turns = itertools.cycle(names)
        for name in names:
            self._passwords[name] = canaries.new("password")
            cluster.atlas.add_user(name, self._passwords[name], DATABASE)
        self.secret: Credentials = (names[-1], self._passwords[names[-1]])
        self.arn = cluster.secrets.put(self._value())
        self.next = self.secret

    def begin(self) -> None:
        """Think of a new password, for the user whose turn it is."""
        self.next = (next(self._turns), self._canaries.new("password"))

    def change(self, step: str) -> None:
        """Do what a step says to the secret or to the user."""
        if step == "secret changed":
            self.secret = self.next
            self._cluster.secrets.put(self._value(), self.arn)
        elif step == "password changed":
            name, password = self.next
            self._cluster.atlas.set_password(name, password)
            self._passwords[name] = password

    def good(self, credentials: Credentials) -> bool:
        name, password = credentials
        return self._passwords[name] == password

    def reads(self) -> int:
        return self._cluster.secrets.reads[self.arn]

    def _value(self) -> dict[str, str]:
        return dict(zip(("username", "password"), self.secret, strict=True))


class Environment:
    """An execution environment, what it holds, and what is therefore expected of it."""

    def __init__(self, runs: WatchedEnvironment, threads: int, rotation: Rotation) -> None:
        self._runs = runs
        self._threads = threads
        self._rotation = rotation
        self._holds = rotation.secret
        self.connected = True  # since INIT

    def check(self) -> None:
        """Read in all threads at once: the database, and the secret no more than needed."""
        reads_secret = not self.connected and not self._rotation.good(self._holds)
        if reads_secret:
            self._holds = self._rotation.secret
        gets_in = self.connected or self._rotation.good(self._holds)
        assert gets_in or self._rotation.users == 1, "one of two is always good"
        before = self._rotation.reads()

        invocation = self._runs.invoke({"operation": "race", "threads": self._threads})

        assert invocation.error is None, invocation.logs
        outcomes = json.loads(invocation.response["body"])["result"]
        assert outcomes == ["read" if gets_in else REFUSED] * self._threads
        reads = self._rotation.reads() - before
        if gets_in:
            assert reads == reads_secret, "one for all threads"
        else:
            assert 1 <= reads <= self._threads, "each thread may hope for a new one"
        self.connected = gets_in


@pytest.fixture(scope="module")
def rotations(
    small_cluster: Cluster, deployed: Deployer, canaries: Canaries
) -> Iterator[dict[Rotation, Environment]]:
    """Single-user and alternating, each with one thread and with eight, and a layout for each."""
    found = {}
    with ExitStack() as stack:
        kinds = itertools.product((1, 2), (1, 8))
        layouts = ("multi", "web", "web", "multi")
        for (users, threads), layout in zip(kinds, layouts, strict=True):
            project = deployed(layout=layout, auth="password")
            rotation = Rotation(small_cluster, canaries, users)
            runs = environment(project, small_cluster, rotation, canaries)
            found[rotation] = Environment(stack.enter_context(runs), threads, rotation)
        yield found


def environment(
    project: Deployed,
    cluster: Cluster,
    rotation: Rotation,
    canaries: Canaries,
    timeout: float = TIMEOUT,
) -> WatchedEnvironment:
    """One whose monitor notices soon that connections are lost."""
    variables = project.variables(cluster.atlas.host, heartbeatFrequencyMS="500")
    variables |= cluster.environment | {"MONGODB_SECRET_ARN": rotation.arn}
    return WatchedEnvironment(
        project.code,
        project.operations,
        variables,
        canaries=canaries,
        hosts=cluster.hosts,
        function_name=rotation.name,
        timeout=timeout,
    )


@pytest.mark.parametrize(
    "order", [pytest.param(it, id=", ".join(it)) for it in itertools.permutations(STEPS)]
)
def test_order(
    order: tuple[str, ...], rotations: dict[Rotation, Environment], small_cluster: Cluster
) -> None:
    for rotation, one in rotations.items():
        one.check()
        rotation.begin()

    for step in (*order, "connection lost"):
        if step == "connection lost":
            lose_connections(small_cluster, rotations.values())
        for rotation, one in rotations.items():
            rotation.change(step)
            one.check()
    for rotation, one in rotations.items():
        assert one.connected, "in the end"
        check_connections(small_cluster, rotation)


def lose_connections(cluster: Cluster, environments: Collection[Environment]) -> None:
    """Close all; returns when the environments' monitors have noticed, and connected again."""
    [proxy] = cluster.proxies
    before = proxy.accepted
    proxy.finish()
    wait_until(lambda: proxy.accepted >= before + len(environments), "monitors")
    for one in environments:
        one.connected = False


def test_connection_that_breaks_in_use_costs_one_answer(
    small_cluster: Cluster, deployed: Deployer, canaries: Canaries
) -> None:
    """The operation meets the refusal then, not the ping; the next invocation reads the secret."""
    rotation = Rotation(small_cluster, canaries, users=1)
    project = deployed(layout="multi", auth="password")
    with environment(project, small_cluster, rotation, canaries) as runs:
        one = Environment(runs, 1, rotation)
        one.check()
        rotation.begin()
        for step in ("password changed", "secret changed"):
            rotation.change(step)
        before = rotation.reads()

        small_cluster.proxies[0].forget()
        invocation = runs.invoke({"operation": "race", "threads": 1})

        assert json.loads(invocation.response["body"])["result"] == [REFUSED]
        assert rotation.reads() == before
        one.connected = False
        one.check()
        check_connections(small_cluster, rotation)


def test_a_refused_client_is_not_waited_for(
    small_cluster: Cluster, deployed: Deployer, canaries: Canaries
) -> None:
    """Its sessions are on a server that only its monitor can find again, whose connection is dead.

    That takes the monitor three seconds, as long as the invocation has.
    """
    rotation = Rotation(small_cluster, canaries, users=1)
    project = deployed(layout="multi", auth="password")
    runs = environment(project, small_cluster, rotation, canaries, timeout=4.0)
    runs.environment["LAB_MAX_IDLE"] = str(MAX_IDLE)
    with runs:
        runs.invoke({"operation": "race", "threads": 1})
        rotation.begin()
        for step in ("password changed", "secret changed"):
            rotation.change(step)
        runs.freeze()
        small_cluster.proxies[0].lose()
        time.sleep(LONG)

        invocation = runs.invoke({"operation": "race", "threads": 1})

        small_cluster.heal()
        assert json.loads(invocation.response["body"])["result"] == ["read"]
        check_connections(small_cluster, rotation)


def check_connections(cluster: Cluster, rotation: Rotation) -> None:
    """One to work with and a monitor's; a client with old credentials has left none behind."""
    wait_until(lambda: len(cluster.primary.clients(rotation.name)) == 2, "connection budget")


def test_a_rotation_under_load(
    small_cluster: Cluster,
    deployed: Deployer,
    canaries: Canaries,
    figure: Callable[[str], None],
) -> None:
    """One user, whose password Secrets Manager rotates. `make bench` has minutes of it."""
    project = deployed(layout="multi", auth="password")
    run = rotate_under_load(
        project, small_cluster, canaries, seconds=20, every=4, window=1, environments=3
    )

    figure(
        f"{run.rotations} rotations, {run.statuses.total()} responses, {run.share:.1%} with 503; "
        f"{run.refused} logins refused, {run.reads} reads by {run.environments} environments"
    )
    run.check()
    assert run.rotations >= 3
    assert run.refused, "none had to log in"
