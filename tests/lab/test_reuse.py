"""Connection reuse: what 1, 10 and 50 execution environments open, and that it stays at that.

A proxy in front of each node counts all connections, also of the driver's monitors. There are as
many as the connection budget says, `templates/budget.j2`.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlencode

import pytest

from tests.lab.cluster import DATABASE, Cluster
from tests.lab.conftest import Deployer
from tests.lab.deployed import Deployed, request
from tests.lab.fault_proxy import FaultProxy
from tests.lab.leaks import Canaries
from tests.lab.secrets_manager import SecretsManager
from tests.support import budget
from tests.support.baking import combinations
from tests.support.execution_environment import ExecutionEnvironment
from tests.support.mongod import Mongod
from tests.support.servers import wait_until

pytestmark = pytest.mark.slow

EVERY = combinations("layout", "auth")
ENVIRONMENTS = (1, 10)
MANY = 50  # with --long for all, otherwise once
INVOCATIONS = 3  # of each environment, on each of its routes
HEARTBEAT = 0.5  # seconds between the monitors' polls, the least that the driver takes
AT_ONCE = 4  # INITs under way, for two cores

Variables = dict[str, str]


@dataclass(frozen=True)
class Nodes:
    """Servers, the primary first, each behind a proxy; `variables` lead functions to them."""

    members: list[Mongod]
    proxies: list[FaultProxy]
    variables: Variables

    def accepted(self) -> list[int]:
        """Connections that there have been to each node."""
        return [proxy.accepted for proxy in self.proxies]

    def streaming(self) -> int:
        """Clients that wait for a node to tell them news, instead of asking now and then."""
        states = [it.admin.admin.command("serverStatus")["connections"] for it in self.members]
        return sum(state["exhaustHello"] + state["awaitingTopologyChanges"] for state in states)


class Service:
    """Execution environments of a project's functions in turn, which grow in number."""

    def __init__(self, project: Deployed, variables: Variables, stack: ExitStack) -> None:
        self._functions = itertools.cycle(it for it in project.functions if it.routes)
        self._code = project.code
        self._variables = variables
        self._stack = stack
        self._pool = stack.enter_context(ThreadPoolExecutor(AT_ONCE))
        self._requests: dict[ExecutionEnvironment, list[object]] = {}

    def grow(self, number: int) -> None:
        """Start environments until there are so many."""
        for _ in range(number - len(self._requests)):
            function = next(self._functions)
            one = ExecutionEnvironment(
                self._code, function.handler, self._variables, function_name=function.name
            )
            self._stack.callback(one.stop)
            self._requests[one] = [request(route) for route in function.routes]
        list(self._pool.map(self._start, self._requests))

    @staticmethod
    def _start(environment: ExecutionEnvironment) -> None:
        if not environment.alive:
            environment.start()

    def invoke(self) -> None:
        """Invoke each environment on each of its routes."""
        list(self._pool.map(self._invoke, self._requests))

    def _invoke(self, environment: ExecutionEnvironment) -> None:
        for event in self._requests[environment]:
            invocation = environment.invoke(event)
            assert invocation.error is None, invocation.logs
            assert invocation.response["statusCode"] in (200, 201, 404), invocation.response


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def standalone() -> Iterator[Mongod]:
    with Mongod(auth=True) as mongod:
        yield mongod


@pytest.fixture(scope="module")
def open_standalone() -> Iterator[Mongod]:
    """One without access control: only Atlas knows MONGODB-AWS, and it has no standalone."""
    with Mongod() as mongod:
        yield mongod


@pytest.mark.parametrize("answers", [it for it in EVERY if it.id != "web/password"])
def test_replica_set(
    answers: dict[str, str],
    deployed: Deployer,
    cluster: Cluster,
    stack: ExitStack,
    long: bool,
    figure: Callable[[str], None],
) -> None:
    layout, auth = answers["layout"], answers["auth"]
    project = deployed(layout=layout, auth=auth)
    primary = cluster.primary
    members = sorted(cluster.members, key=lambda it: it is not primary)
    variables = cluster.environment | cluster.sign_in("iam" if auth == "iam" else "password")
    variables |= project.variables(cluster.atlas.host, heartbeatFrequencyMS="500")
    nodes = Nodes(members, [cluster.proxy(it) for it in members], variables)
    numbers = (*ENVIRONMENTS, MANY) if long or (layout, auth) == ("single", "iam") else ENVIRONMENTS

    figure(count(Service(project, variables, stack), nodes, numbers))


@pytest.mark.parametrize("answers", [it for it in EVERY if it.id != "web/iam"])
def test_standalone(
    answers: dict[str, str],
    deployed: Deployer,
    standalone: Mongod,
    open_standalone: Mongod,
    canaries: Canaries,
    stack: ExitStack,
    long: bool,
    figure: Callable[[str], None],
) -> None:
    project = deployed(layout=answers["layout"], auth=answers["auth"])
    mongod = standalone if answers["auth"] == "password" else open_standalone
    nodes = alone(mongod, project, canaries, stack)

    numbers = (*ENVIRONMENTS, MANY) if long else ENVIRONMENTS
    figure(count(Service(project, nodes.variables, stack), nodes, numbers))


def test_a_driver_that_streams_would_be_noticed(
    deployed: Deployer, open_standalone: Mongod, canaries: Canaries, stack: ExitStack
) -> None:
    project = deployed(layout="single", auth="iam")
    nodes = alone(open_standalone, project, canaries, stack, serverMonitoringMode="stream")

    service = Service(project, nodes.variables, stack)
    service.grow(1)

    wait_until(lambda: nodes.streaming() > 0, "client that streams")
    wait_until(lambda: nodes.accepted() == [budget.connections(1, primary=True) + 1], "connection")


def alone(
    mongod: Mongod, project: Deployed, canaries: Canaries, stack: ExitStack, **options: str
) -> Nodes:
    """A server of its own, with a user if it has any."""
    proxy = stack.enter_context(FaultProxy(mongod.port))
    query = urlencode({"heartbeatFrequencyMS": 500, **options})
    variables = {
        "MONGODB_URI": f"mongodb://127.0.0.1:{proxy.port}/?{query}",
        "MONGODB_DATABASE": DATABASE,
        "POWERTOOLS_SERVICE_NAME": project.name,
    }
    if mongod.root_password:
        secrets = stack.enter_context(SecretsManager())
        user = {"username": "service", "password": canaries.new("password")}
        mongod.create_user(**user, database=DATABASE)
        variables |= secrets.environment | {"MONGODB_SECRET_ARN": secrets.put(user)}
    return Nodes([mongod], [proxy], variables)


def count(service: Service, nodes: Nodes, numbers: tuple[int, ...]) -> str:
    """Have so many environments, invoke them, and compare what they opened with the budget."""
    before, others = nodes.accepted(), nodes.streaming()  # such as members, of one another
    table = []

    def opened() -> list[int]:
        return [now - then for now, then in zip(nodes.accepted(), before, strict=True)]

    def expected(number: int) -> list[int]:
        return [budget.connections(number, primary=it is nodes.members[0]) for it in nodes.members]

    def complete(number: int) -> bool:
        return sum(opened()) >= sum(expected(number))

    for number in numbers:
        service.grow(number)
        wait_until(partial(complete, number), "connections")  # monitors' are in the background
        for _ in range(INVOCATIONS):
            service.invoke()
        time.sleep(2 * HEARTBEAT)
        assert opened() == expected(number), f"{number} environments"
        assert nodes.streaming() <= others
        table.append(f"{number} {'+'.join(map(str, opened()))}")
    return f"environments and their connections to each node: {', '.join(table)}"
