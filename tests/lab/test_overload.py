"""A cluster that sheds load, as MongoDB 9.0 does: 503 in time, and nothing is done twice.

The refusals are those that Atlas shows, by fail points of a real server:
https://www.mongodb.com/docs/atlas/overload-errors/
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from bson import ObjectId

from tests.lab.cluster import DATABASE
from tests.lab.conftest import Deployer
from tests.lab.deployed import Deployed, request
from tests.lab.faults import COMMANDS, OPERATIONS, TIMEOUT
from tests.support.execution_environment import ExecutionEnvironment, Invocation
from tests.support.mongod import Mongod

pytestmark = pytest.mark.slow

Invoke = Callable[..., Invocation]

OVERLOADED = "SystemOverloadedError"
NOTHING_DONE = [OVERLOADED, "RetryableError", "NoWritesPerformed"]
ATTEMPTS = 3  # of the driver, where it may repeat
CODES = [462, 463]  # of requests, and of operations
# Carried out, and then the primary says that it is about to end.
MAYBE_DONE = {
    "writeConcernError": {"code": 91, "errmsg": "Replication is being shut down"},
    "errorLabels": ["RetryableWriteError"],
}


@pytest.fixture(scope="module")
def mongod() -> Iterator[Mongod]:
    """A replica set, so that the driver may repeat writes."""
    with Mongod(replica_set="rs0", fail_points=True) as mongod:
        mongod.admin[DATABASE].items.create_index("sku", unique=True)
        mongod.admin[DATABASE].fixed.insert_one({"_id": "answer", "value": 42})
        yield mongod


@pytest.fixture(scope="module", params=["multi", "web"])
def project(request: pytest.FixtureRequest, deployed: Deployer) -> Deployed:
    return deployed(layout=request.param, auth="iam")


@pytest.fixture(scope="module")
def environments(project: Deployed, mongod: Mongod) -> Iterator[dict[str, ExecutionEnvironment]]:
    """Of the service, and of the lab's operations."""
    variables = {"MONGODB_URI": mongod.uri, "MONGODB_DATABASE": DATABASE}
    handlers = {"service": project.functions[0].handler}
    handlers["operations"] = project.operations
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(ExecutionEnvironment(project.code, handler, variables))
            for name, handler in handlers.items()
        }


@pytest.fixture
def operate(environments: dict[str, ExecutionEnvironment], mongod: Mongod) -> Invoke:
    """`operate(operation, timeout=…)`: invoke one of the lab's operations, which counts anew."""
    environment, database = environments["operations"], mongod.admin[DATABASE]
    for collection in (database.inserted, database.counters):
        collection.delete_many({})
    database.counters.insert_many([{"group": 1, "count": 0} for _ in range(3)])

    def invoke(operation: str, timeout: float = TIMEOUT) -> Invocation:
        environment.timeout = timeout
        return environment.invoke({"operation": operation, "number": 1})

    return invoke


def times_done(operation: str, mongod: Mongod) -> set[int]:
    """How often the operation has written, to each document."""
    database = mongod.admin[DATABASE]
    if operation == "insert":
        return {database.inserted.count_documents({})}
    return {it["count"] for it in database.counters.find()}


def is_unavailable(invocation: Invocation, why: str = "The cluster is overloaded") -> None:
    """503 with the time to wait, and the log says why."""
    assert invocation.error is None, invocation.error
    assert invocation.response["statusCode"] == 503
    headers = {name.lower(): value for name, value in invocation.response["headers"].items()}
    assert int(headers["retry-after"]) > 0
    assert OVERLOADED not in invocation.response["body"]
    [reason] = [it["message"] for it in invocation.records if it.get("level") == "ERROR"]
    assert reason.startswith(why)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_cluster_that_stays_overloaded_is_unavailable(
    operation: str, code: int, operate: Invoke, mongod: Mongod
) -> None:
    before, command = mongod.failed(), COMMANDS.get(operation, operation)
    with mongod.fail(command, errorCode=code, errorLabels=NOTHING_DONE):
        is_unavailable(operate(operation))

    assert mongod.failed() - before == ATTEMPTS
    assert times_done(operation, mongod) == {0}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_driver_repeats_whatever_the_cluster_has_not_begun(
    operation: str, operate: Invoke, mongod: Mongod
) -> None:
    """An update_many, too, which it doesn't after a lost connection."""
    command = COMMANDS.get(operation, operation)
    with mongod.fail(command, mode={"times": 2}, errorCode=462, errorLabels=NOTHING_DONE):
        invocation = operate(operation)

    assert invocation.response["statusCode"] == 200, invocation
    if operation in ("insert", "update_many"):
        assert times_done(operation, mongod) == {1}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_driver_repeats_nothing_that_may_have_begun(
    operation: str, operate: Invoke, mongod: Mongod
) -> None:
    before, command = mongod.failed(), COMMANDS.get(operation, operation)
    with mongod.fail(command, errorCode=462, errorLabels=[OVERLOADED]):
        is_unavailable(operate(operation))

    assert mongod.failed() - before == 1


def test_waiting_for_an_overloaded_cluster_ends_before_the_deadline(
    operate: Invoke, mongod: Mongod
) -> None:
    """The driver waits between attempts, at random: a few tenths of a second, and here has one."""
    with mongod.fail("find", errorCode=462, errorLabels=NOTHING_DONE):
        for _ in range(5):
            is_unavailable(operate("find", timeout=1.1))


@pytest.mark.parametrize(
    ("failing", "repeated"),
    [
        pytest.param({"errorCode": 462, "errorLabels": NOTHING_DONE}, 201, id="nothing-done"),
        pytest.param({"errorCode": 462, "errorLabels": [OVERLOADED]}, 201, id="not-known"),
        pytest.param(MAYBE_DONE, 409, id="done"),
    ],
)
def test_a_caller_who_creates_again_makes_no_second_item(
    failing: dict[str, Any],
    repeated: int,
    environments: dict[str, ExecutionEnvironment],
    mongod: Mongod,
) -> None:
    service, sku = environments["service"], f"MUG-{ObjectId()}".upper()
    create = request("POST /items", body=json.dumps({"sku": sku, "name": "Mug"}))
    with mongod.fail("insert", **failing):
        is_unavailable(service.invoke(create), why="The ")

    assert service.invoke(create).response["statusCode"] == repeated
    assert mongod.admin[DATABASE].items.count_documents({"sku": sku}) == 1


@pytest.mark.parametrize(
    ("failing", "repeated"),
    [
        pytest.param({"errorCode": 462, "errorLabels": NOTHING_DONE}, 204, id="nothing-done"),
        pytest.param(MAYBE_DONE, 404, id="done"),
    ],
)
def test_a_caller_who_deletes_again_deletes_once(
    failing: dict[str, Any],
    repeated: int,
    environments: dict[str, ExecutionEnvironment],
    mongod: Mongod,
) -> None:
    service, items = environments["service"], mongod.admin[DATABASE].items
    item = items.insert_one({"sku": f"MUG-{ObjectId()}".upper()}).inserted_id
    delete = request("DELETE /items/{id}", pathParameters={"id": str(item)})
    with mongod.fail("delete", **failing):
        is_unavailable(service.invoke(delete), why="The ")

    assert service.invoke(delete).response["statusCode"] == repeated
    assert items.find_one({"_id": item}) is None


def test_the_driver_does_no_write_twice(operate: Invoke, mongod: Mongod) -> None:
    """It is told to try again; the server knows the repetition by its number."""
    with mongod.fail("insert", mode={"times": 1}, **MAYBE_DONE):
        assert operate("insert").response["statusCode"] == 200

    assert times_done("insert", mongod) == {1}
