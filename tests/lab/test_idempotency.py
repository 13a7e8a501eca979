"""The recipes for idempotency: many callers, one effect, also when an environment dies in between.

There is no index on `sku` here: nothing but the recipes sees to it that there is one item.
"""

from __future__ import annotations

import itertools
import json
import os
import queue
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from bson import ObjectId

from tests.lab.cluster import DATABASE
from tests.lab.deployed import Deployed, deploy, request
from tests.lab.test_overload import NOTHING_DONE, OVERLOADED
from tests.support.execution_environment import ExecutionEnvironment
from tests.support.mongod import Mongod
from tests.support.servers import wait_until

pytestmark = pytest.mark.slow

RECIPES = ("A queue", "An idempotency key", "Messages that come twice")
ENVIRONMENTS = 5
CALLERS = 200
TIMEOUT = 3.0  # seconds, of the environment that dies: as long as that its key stays taken
BLOCKED = 4.5  # seconds that its command waits, and with it the end of the test

Fields = dict[str, Any]
Start = Callable[..., ExecutionEnvironment]
Invoke = Callable[[Fields], Fields]


@pytest.fixture(scope="module")
def mongod() -> Iterator[Mongod]:
    """A replica set, so that the driver may repeat writes."""
    with Mongod(replica_set="rs0", fail_points=True) as mongod:
        yield mongod


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    return deploy(tmp_path_factory.mktemp("idempotent"), *RECIPES, layout="multi", auth="iam")


@pytest.fixture(scope="module")
def start(project: Deployed, mongod: Mongod) -> Iterator[Start]:
    """`start(timeout=…)`: another environment of the function."""
    variables = {"MONGODB_URI": mongod.uri, "MONGODB_DATABASE": DATABASE}
    [function] = project.functions
    with ExitStack() as stack:

        def one(**options: Any) -> ExecutionEnvironment:
            environment = ExecutionEnvironment(project.code, function.handler, variables, **options)
            return stack.enter_context(environment)

        yield one


@pytest.fixture(scope="module")
def invoke(start: Start) -> Invoke:
    """Invoke an environment, the first that is free."""
    free: queue.SimpleQueue[ExecutionEnvironment] = queue.SimpleQueue()
    for _ in range(ENVIRONMENTS):
        free.put(start())

    def call(event: Fields) -> Fields:
        environment = free.get()
        try:
            invocation = environment.invoke(event)
        finally:
            free.put(environment)
        assert invocation.error is None, invocation
        response: Fields = invocation.response
        return response

    return call


@pytest.fixture
def item() -> Fields:
    return {"sku": f"MUG-{ObjectId()}".upper(), "name": "Mug"}


def post(item: Fields) -> Fields:
    """A request whose key goes with the sku."""
    headers = {"content-type": "application/json", "idempotency-key": f'"{item["sku"]}"'}
    return request("POST /items", headers=headers, body=json.dumps(item))


def message(item: Fields) -> Fields:
    """A delivery of a message."""
    return {"Records": [{"messageId": str(ObjectId()), "body": json.dumps(item)}]}


def status(response: Fields) -> int:
    """HTTP's, also of a delivery."""
    if "batchItemFailures" in response:
        return 409 if response["batchItemFailures"] else 201
    code: int = response["statusCode"]
    if code in (409, 503):
        headers = {name.lower(): value for name, value in response["headers"].items()}
        assert int(headers["retry-after"]) > 0
    return code


# What a request does in turn, for fail points: it takes the key, stores the item, keeps the answer.
Place = tuple[str, object]  # a command, and which of them
KEY: Place = ("findAndModify", "alwaysOn")
ITEM: Place = ("findAndModify", {"skip": 1})
ANSWER: Place = ("update", "alwaysOn")
SHED: Fields = {"errorCode": 462, "errorLabels": NOTHING_DONE}
DONE: Fields = {"writeConcernError": {"code": 462, "errmsg": ""}, "errorLabels": [OVERLOADED]}


@pytest.mark.parametrize(
    ("event", "death", "stored"),
    [
        pytest.param(post, ITEM, 0, id="request-before-its-item"),
        pytest.param(post, ANSWER, 1, id="request-after-its-item"),
        pytest.param(message, ANSWER, 1, id="message-after-its-item"),
    ],
)
def test_many_callers_have_one_effect(
    event: Callable[[Fields], Fields],
    death: Place,
    stored: int,
    item: Fields,
    start: Start,
    invoke: Invoke,
    mongod: Mongod,
    figure: Callable[[str], None],
) -> None:
    """The first of them meets an environment that dies at a command, by SIGKILL."""
    database, same = mongod.admin[DATABASE], {"sku": item["sku"]}
    numbers = itertools.count(1)

    def call(_: int) -> Fields:
        while status(response := invoke(event(item))) != 201:
            next(numbers)
            assert status(response) == 409
            time.sleep(1)
        next(numbers)
        return response

    mortal = start(function_name="mortal", timeout=TIMEOUT)
    command, mode = death
    blocked = {"appName": "mortal", "blockConnection": True, "blockTimeMS": int(BLOCKED * 1000)}
    with (
        ThreadPoolExecutor(CALLERS + 1) as callers,
        mongod.fail(command, mode=mode, **blocked),
    ):
        before = mongod.failed()
        first = callers.submit(mortal.invoke, event(item))
        wait_until(lambda: mongod.failed() > before, "environment that waits at the command")
        assert database.items.count_documents(same) == stored
        assert status(invoke(event(item))) == 409
        responses = callers.map(call, range(CALLERS))
        os.kill(mortal.pid, signal.SIGKILL)
        assert first.result().error is not None
        bodies = {str(it.get("body")) for it in responses}

    [found] = database.items.find(same)
    assert found["name"] == item["name"]
    if event is post:
        assert [json.loads(it)["id"] for it in bodies] == [str(found["_id"])]
    assert status(invoke(event(item | {"name": "Cup"}))) == (422 if event is post else 409)
    figure(f"{CALLERS} callers, {next(numbers) - 1} invocations, 1 environment died: 1 item")


@pytest.mark.parametrize(
    ("place", "failing", "stored", "repeated"),
    [
        pytest.param(KEY, SHED, 0, 201, id="the-key-cannot-be-taken"),
        pytest.param(ITEM, DONE, 1, 201, id="the-item-may-be-stored"),
        pytest.param(ANSWER, SHED, 1, 409, id="the-answer-cannot-be-kept"),
    ],
)
def test_the_database_is_unavailable_in_between(
    place: Place,
    failing: Fields,
    stored: int,
    repeated: int,
    item: Fields,
    invoke: Invoke,
    mongod: Mongod,
) -> None:
    items, same = mongod.admin[DATABASE].items, {"sku": item["sku"]}
    command, mode = place
    with mongod.fail(command, mode=mode, **failing):
        assert status(invoke(post(item))) == 503
    found = items.find_one(same)
    assert (found is not None) == bool(stored)

    assert status(response := invoke(post(item))) == repeated

    assert items.count_documents(same) == 1
    if found and repeated == 201:
        assert json.loads(response["body"])["id"] == str(found["_id"])
