"""The connection: reused while it works, bounded and discreet when it doesn't."""

import json
import logging
import socket
import threading
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from pymongo import MongoClient
from pymongo.errors import (
    BulkWriteError,
    DuplicateKeyError,
    OperationFailure,
    ServerSelectionTimeoutError,
    WriteConcernError,
)

from {{ cookiecutter.__package }} import connection
from {{ cookiecutter.__package }}.connection import Connection, Unavailable

NewContext = Callable[..., LambdaContext]


def test_invocations_share_one_connection(
    capsys: pytest.CaptureFixture[str], context: NewContext
) -> None:
    mongodb = Connection.from_environment()
    for _ in range(50):
        with mongodb.database(context()) as db:
            db.command("ping")

    assert capsys.readouterr().out.count('"ConnectionsOpened":[1.0]') == 1


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> Connection:
    """A connection to a port that answers nothing."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setenv("MONGODB_URI", f"mongodb://127.0.0.1:{port}")
    monkeypatch.setattr(connection, "CONNECT_TIMEOUT", 0.2)
    return Connection.from_environment()


def test_an_unreachable_database_is_unavailable_before_the_deadline(
    unreachable: Connection, caplog: pytest.LogCaptureFixture, context: NewContext
) -> None:
    invocation = context(seconds=1.5)

    with pytest.raises(Unavailable), unreachable.database(invocation) as db:
        db.command("ping")

    assert invocation.get_remaining_time_in_millis() > 0
    assert "No MongoDB server answers" in caplog.text
    assert "127.0.0.1" not in caplog.text


def test_a_slow_operation_ends_before_the_deadline(context: NewContext) -> None:
    mongodb = Connection.from_environment()
    with mongodb.database(context()) as db:
        db.slow.insert_one({})
    thousands = ({"$set": {"n": {"$range": [0, 1000]}}}, {"$unwind": "$n"})

    invocation = context(seconds=1.5)
    with pytest.raises(Unavailable), mongodb.database(invocation) as db:
        db.slow.aggregate([*thousands * 4, {"$count": "documents"}])  # a million millions

    assert invocation.get_remaining_time_in_millis() > 0


def test_an_invocation_with_too_little_time_left_is_unavailable(context: NewContext) -> None:
    mongodb = Connection.from_environment()

    def come_late() -> None:
        with mongodb.database(context(seconds=0.5)) as db:
            time.sleep(0.01)  # for the deadline to pass in any case
            db.command("ping")

    with pytest.raises(Unavailable):
        come_late()


def test_an_error_of_the_handler_stays_its_own(context: NewContext) -> None:
    mongodb = Connection.from_environment()

    with pytest.raises(ZeroDivisionError), mongodb.database(context()):
        _ = 1 / 0
    with mongodb.database(context()) as db:
        db.duplicates.insert_one({"_id": 1})
    with pytest.raises(DuplicateKeyError), mongodb.database(context()) as db:
        db.duplicates.insert_one({"_id": 1})


@pytest.mark.parametrize("uri", ["", "mongodb://[", "mongodb://a:b@c:d/?x"])
def test_an_unusable_uri_is_reported_and_not_shown(
    uri: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, context: NewContext
) -> None:
    monkeypatch.setenv("MONGODB_URI", uri)

    mongodb = Connection.from_environment()

    with pytest.raises(Unavailable, match="MONGODB_URI"), mongodb.database(context()):
        pass
    assert "MONGODB_URI" in caplog.text
    assert not uri or uri not in caplog.text


def test_options_that_the_cluster_needs_reach_the_driver(
    monkeypatch: pytest.MonkeyPatch, context: NewContext
) -> None:
    monkeypatch.setenv("MONGODB_OPTIONS", "readPreference=nearest&compressors=zlib")

    with Connection.from_environment().database(context()) as db:
        assert db.command("ping")["ok"]
        assert db.client.read_preference.mongos_mode == "nearest"
        assert db.client.options.pool_options.max_pool_size == 1


@pytest.mark.parametrize(
    "options",
    [
        "maxPoolSize=100",  # is Connection's own
        "authMechanism=PLAIN",
        "srvMaxHosts=many",  # the driver would go on without
        "srvMaxHosts&compressors",
        "readPreferenceTags=nodeType:ANALYTICS",  # the primary has none
    ],
)
def test_other_options_are_reported_and_not_shown(
    options: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    context: NewContext,
) -> None:
    monkeypatch.setenv("MONGODB_OPTIONS", options)

    mongodb = Connection.from_environment()

    with pytest.raises(Unavailable, match="MONGODB_OPTIONS"), mongodb.database(context()):
        pass
    assert "MONGODB_OPTIONS" in caplog.text
    assert options not in caplog.text


def test_the_log_says_what_to_look_at_and_names_no_host(
    unreachable: Connection, caplog: pytest.LogCaptureFixture, context: NewContext
) -> None:
    with pytest.raises(Unavailable) as raised, unreachable.database(context(seconds=1.5)) as db:
        db.command("ping")

    for record in caplog.records:
        assert "No MongoDB server answers" in record.getMessage()
        assert "127.0.0.1" not in str(vars(record))
    assert "127.0.0.1" not in "".join(traceback.format_exception(raised.value))


def test_retries_are_spread() -> None:
    waits = {int(connection.retry_after()) for _ in range(500)}
    assert (min(waits), max(waits)) == connection.RETRY_AFTER
    assert len(waits) > 1


def test_each_unavailable_invocation_is_counted_with_its_reason(
    capsys: pytest.CaptureFixture[str], unreachable: Connection, context: NewContext
) -> None:
    for _ in range(2):
        with pytest.raises(Unavailable), unreachable.database(context(seconds=1.2)) as db:
            db.command("ping")

    counted = [json.loads(it) for it in capsys.readouterr().out.splitlines() if "_aws" in it]
    assert [(it["Unavailable"], it["FunctionName"]) for it in counted] == [([1.0], "test")] * 2
    assert all("No MongoDB server answers" in it["reason"] for it in counted)


def test_each_refused_login_is_counted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, context: NewContext
) -> None:
    nobody: Any = {"username": "nobody", "password": "wrong", "authSource": "admin"}
    client = partial(MongoClient, **nobody, authMechanism="SCRAM-SHA-256")
    monkeypatch.setattr(connection, "MongoClient", client)

    mongodb = Connection.from_environment()  # tries, too
    with pytest.raises(Unavailable, match="refuses"), mongodb.database(context()):
        pass

    output = capsys.readouterr().out
    assert output.count('"FailedLogins":[1.0]') == 2
    assert "nobody" not in output


@pytest.mark.parametrize(("moments", "checks"), [([59], 0), ([61], 1), ([50, 100], 0)])
def test_a_connection_is_checked_after_a_minute_of_rest(
    moments: list[int], checks: int, monkeypatch: pytest.MonkeyPatch, context: NewContext
) -> None:
    mongodb = Connection.from_environment()
    pings: list[object] = []
    monkeypatch.setattr(connection, "_ping", pings.append)
    begin = time.time()

    for seconds in moments:
        # Only the wall clock goes on while an environment is frozen.
        frozen = SimpleNamespace(time=lambda now=begin + seconds: now, monotonic=time.monotonic)
        monkeypatch.setattr(connection, "time", frozen)
        with mongodb.database(context()):
            pass

    assert len(pings) == checks


def test_connecting_early_ends_in_time_whatever_a_ping_does(
    unreachable: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """INIT has ten seconds, and the driver alone would wait for thirty."""
    waited: list[str] = []

    def ping_without_bound(client: MongoClient[dict[str, Any]]) -> None:
        try:
            client.admin.command("ping")
        except ServerSelectionTimeoutError as error:
            waited.append(str(error))

    monkeypatch.setattr(connection, "_ping", ping_without_bound)
    Connection.from_environment()

    assert len(waited) == 1
    assert "Timeout: 30s" not in waited[0]


def test_threads_share_one_client(monkeypatch: pytest.MonkeyPatch, context: NewContext) -> None:
    clients: list[object] = []

    class SlowToBuild(MongoClient[dict[str, Any]]):
        def __init__(self, *args: Any, **options: Any) -> None:
            time.sleep(0.1)  # in which the other threads want one, too
            super().__init__(*args, **options)
            clients.append(self)

    monkeypatch.setattr(connection, "MongoClient", SlowToBuild)
    monkeypatch.setattr(Connection, "_connect_early", lambda _: None)
    mongodb = Connection.from_environment()

    def use() -> None:
        with mongodb.database(context()) as db:
            db.command("ping")

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(clients) == 1


def test_the_client_is_set_up_for_an_execution_environment(context: NewContext) -> None:
    with Connection.from_environment().database(context()) as db:
        options = db.client.options.pool_options
        db.dates.insert_one({"at": datetime.now(UTC)})
        date = db.dates.find_one()

    assert options.max_pool_size == 1  # it serves one invocation at a time
    assert options.max_idle_time_seconds == 60
    assert options.appname == "test"  # the function's name, which Atlas shows
    assert date is not None
    assert date["at"].tzinfo is not None


def test_credentials_stay_out_of_the_log_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("botocore.auth").debug("x-amz-security-token:hunter2")

    assert "hunter2" not in caplog.text


@pytest.mark.parametrize(
    ("code", "message", "reason"),
    [
        (13, "not authorized on app to execute command", "MongoDB denies"),
        (18, "Authentication failed.", "MongoDB refuses"),
        (211, "Cache Reader No keys found for HMAC that is valid for time", "only just started"),
        (6, "Write results unavailable from shard:27017", "can't reach a shard"),
        (133, "Could not find host matching read preference", "can't reach a shard"),
        (371, "User writes blocked", "takes no more data"),
        (121, "Document failed validation", None),
        # Free and Flex clusters of Atlas
        (8000, "bad auth : Authentication failed.", "MongoDB refuses"),
        (8000, "user is not allowed to do action [find] on [app.items]", "MongoDB denies"),
        (8000, "you are over your space quota, using 513 MB of 512 MB", "takes no more data"),
        (8000, "cannot create a new collection -- already using 527", "takes no more data"),
        (8000, "$where is not allowed in this atlas tier", None),
        (8000, '{find: "items", filter: {sku: "bad auth"}} not allowed in this atlas tier', None),
        (8000, "mapReduce is not allowed or the syntax is incorrect", None),
    ],
)
def test_which_errors_of_mongodb_are_the_handlers_own(
    code: int, message: str, reason: str | None, context: NewContext
) -> None:
    mongodb = Connection.from_environment()
    expected = OperationFailure if reason is None else Unavailable

    with pytest.raises(expected, match=reason), mongodb.database(context()):
        raise OperationFailure(message, code, {"ok": 0, "errmsg": message, "code": code})


def test_a_cluster_that_sheds_load_is_unavailable(context: NewContext) -> None:
    mongodb = Connection.from_environment()
    message = "Request rejected: ingress operation rate limit exceeded"
    labels = ["SystemOverloadedError", "RetryableError", "NoWritesPerformed"]
    details = {"ok": 0, "errmsg": message, "code": 463, "errorLabels": labels}

    with pytest.raises(Unavailable, match="overloaded"), mongodb.database(context()):
        raise OperationFailure(message, 463, details)


def test_a_write_that_a_primary_may_have_lost_is_unavailable(context: NewContext) -> None:
    mongodb = Connection.from_environment()
    message = "Replication is being shut down"
    details = {"code": 91, "errmsg": message, "errorLabels": ["RetryableWriteError"]}

    with pytest.raises(Unavailable, match="isn't the primary"), mongodb.database(context()):
        raise WriteConcernError(message, 91, details)


def test_what_became_of_a_bulk_write_is_the_handlers_to_judge(context: NewContext) -> None:
    mongodb = Connection.from_environment()
    too_late = {"index": 1, "code": 50, "errmsg": "operation exceeded time limit"}
    details = {
        "writeErrors": [too_late],
        "writeConcernErrors": [],
        "nInserted": 1,
        "errorLabels": ["RetryableWriteError"],
    }

    with pytest.raises(BulkWriteError), mongodb.database(context()):
        raise BulkWriteError(details)
