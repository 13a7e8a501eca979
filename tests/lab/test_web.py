"""What is the web layout's own: where the client is made, and how its deadline reaches endpoints.

Endpoints run in threads beside the event loop that Mangum has for each request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.lab.cluster import DATABASE
from tests.lab.conftest import Deployer
from tests.lab.deployed import APPLICATION, Deployed, request
from tests.support.execution_environment import ExecutionEnvironment
from tests.support.mongod import Mongod

pytestmark = pytest.mark.slow

INVOCATIONS = 50


@pytest.fixture
def project(deployed: Deployer) -> Deployed:
    return deployed(layout="web", auth="iam")


@pytest.fixture(scope="module")
def mongod() -> Iterator[Mongod]:
    with Mongod(fail_points=True) as mongod:
        yield mongod


def environment(
    project: Deployed, mongod: Mongod, handler: str = "", **options: Any
) -> ExecutionEnvironment:
    """One that reaches the server directly."""
    variables = {
        "MONGODB_URI": mongod.uri,
        "MONGODB_DATABASE": DATABASE,
        "POWERTOOLS_SERVICE_NAME": project.name,
    }
    [function] = project.functions
    return ExecutionEnvironment(project.code, handler or function.handler, variables, **options)


def test_a_client_in_a_lifespan_is_built_by_each_invocation(
    project: Deployed, mongod: Mongod, figure: Callable[[str], None]
) -> None:
    opened = {}
    for place, handler in {"module": "", "lifespan": project.added("lifespan.handler")}.items():
        with environment(project, mongod, handler) as one:
            assert one.invoke(request("GET /items")).response["statusCode"] == 200
            before = mongod.connections_created()
            for _ in range(INVOCATIONS):
                assert one.invoke(request("GET /items")).response["statusCode"] == 200
            opened[place] = mongod.connections_created() - before

    figure(f"{INVOCATIONS} warm invocations opened {opened}")
    assert opened["module"] == 0
    assert opened["lifespan"] >= INVOCATIONS


@pytest.mark.parametrize("route", APPLICATION)
def test_each_endpoint_ends_before_the_deadline_of_its_invocation(
    route: str, project: Deployed, mongod: Mongod
) -> None:
    """Not before another's: those of uvicorn have ten seconds."""
    command = {"POST": "insert", "DELETE": "delete"}.get(route.split()[0], "find")
    with environment(project, mongod, timeout=2.0) as one:
        assert one.invoke(request("GET /items")).response["statusCode"] == 200
        with mongod.fail(command, blockConnection=True, blockTimeMS=2_500):
            invocation = one.invoke(request(route))

    assert invocation.error is None, invocation.logs
    assert invocation.response["statusCode"] == 503
    assert int(invocation.response["headers"]["retry-after"]) > 0


def test_a_warm_invocation_leaves_no_line_of_its_own_in_the_log(
    project: Deployed, mongod: Mongod
) -> None:
    """At the level that Lambda has by default: the API's log has each request already."""
    one = environment(project, mongod)
    one.environment["AWS_LAMBDA_LOG_LEVEL"] = "INFO"
    with one:
        one.invoke(request("GET /items"))
        assert one.invoke(request("GET /items")).records == []


def test_half_of_a_surrogate_pair_is_refused_wherever_it_stands(
    project: Deployed, mongod: Mongod
) -> None:
    """A direct invocation may send it. Mangum would raise."""
    half = "\ud800"
    parts: dict[str, Any] = {
        "rawPath": f"/{half}",
        "rawQueryString": half,
        "headers": {"x-name": half},
        "cookies": [half],
        "body": half,
    }
    with environment(project, mongod) as one:
        for name, value in parts.items():
            invocation = one.invoke(request("POST /items") | {name: value})
            assert invocation.error is None, name
            assert invocation.response["statusCode"] == 400, name
