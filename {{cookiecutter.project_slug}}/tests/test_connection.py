"""The connection: reused while it works, bounded and discreet when it doesn't."""

import socket

import pytest
from pymongo.errors import DuplicateKeyError

from {{ cookiecutter.__package }} import connection
from {{ cookiecutter.__package }}.connection import Connection, Unavailable

from conftest import Context


def test_invocations_share_one_connection(capsys: pytest.CaptureFixture[str]) -> None:
    mongodb = Connection.from_environment()
    for _ in range(50):
        with mongodb.database(Context()) as db:
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
    unreachable: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    context = Context(seconds=1.5)

    with pytest.raises(Unavailable), unreachable.database(context) as db:
        db.command("ping")

    assert context.get_remaining_time_in_millis() > 0
    assert "No MongoDB server answers" in caplog.text
    assert "127.0.0.1" not in caplog.text


def test_a_slow_operation_ends_before_the_deadline() -> None:
    mongodb = Connection.from_environment()
    with mongodb.database(Context()) as db:
        db.slow.insert_one({})

    context = Context(seconds=1.5)
    with pytest.raises(Unavailable), mongodb.database(context) as db:
        db.slow.find_one({"$where": "sleep(5000) || true"})

    assert context.get_remaining_time_in_millis() > 0


def test_an_error_of_the_handler_stays_its_own() -> None:
    mongodb = Connection.from_environment()

    with pytest.raises(ZeroDivisionError), mongodb.database(Context()):
        _ = 1 / 0
    with mongodb.database(Context()) as db:
        db.duplicates.insert_one({"_id": 1})
    with pytest.raises(DuplicateKeyError), mongodb.database(Context()) as db:
        db.duplicates.insert_one({"_id": 1})


@pytest.mark.parametrize("uri", ["", "mongodb://[", "mongodb://a:b@c:d/?x"])
def test_an_unusable_uri_is_reported_and_not_shown(
    uri: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MONGODB_URI", uri)

    mongodb = Connection.from_environment()

    with pytest.raises(Unavailable, match="MONGODB_URI"), mongodb.database(Context()):
        pass
    assert "MONGODB_URI" in caplog.text
    assert not uri or uri not in caplog.text
