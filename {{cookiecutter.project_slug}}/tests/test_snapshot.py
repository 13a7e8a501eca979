"""Lambda SnapStart: what its hooks do, called as Lambda's runtime client calls them."""

import random
import socket
from collections.abc import Callable, Iterator
from typing import Any
{% if cookiecutter.auth == "password" %}
import boto3
{%- endif %}
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from bson import ObjectId
{%- if cookiecutter.auth == "iam" %}
from pymongo_auth_aws import auth
{%- endif %}
from snapshot_restore_py import get_after_restore, get_before_snapshot

from {{ cookiecutter.__package }} import connection
from {{ cookiecutter.__package }}.connection import Connection, Unavailable

NewContext = Callable[..., LambdaContext]


@pytest.fixture(autouse=True)
def hooks() -> Iterator[None]:
    """Leave out what other tests have registered."""
    registered = [get_before_snapshot(), get_after_restore()]
    before = [it[:] for it in registered]
    for hooks in registered:
        hooks.clear()
    yield
    for hooks, earlier in zip(registered, before, strict=True):
        hooks[:] = earlier


def take_snapshot() -> None:
    run(reversed(get_before_snapshot()))


def restore() -> None:
    run(get_after_restore())


def run(hooks: Any) -> None:
    for function, args, kwargs in hooks:
        function(*args, **kwargs)


def test_a_copy_has_a_connection_of_its_own(
    clients: list[object], capsys: pytest.CaptureFixture[str], context: NewContext
) -> None:
    mongodb = Connection.from_environment()
    before = len(clients)

    take_snapshot()
    assert mongodb._pool.size == 0
    restore()
    for _ in range(2):
        with mongodb.database(context()) as db:
            db.command("ping")

    assert len(clients) == before + 1
    assert capsys.readouterr().out.count('"ConnectionsOpened":[1.0]') == 2


def test_copies_generate_different_values() -> None:
    Connection.from_environment()
    take_snapshot()
    state, copies = random.getstate(), []

    for _ in range(2):
        random.setstate(state)
        restore()
        copies.append([ObjectId().binary[4:9], random.random()])

    assert all(one != other for one, other in zip(*copies, strict=True))


def test_a_copy_starts_without_the_database(
    monkeypatch: pytest.MonkeyPatch, context: NewContext
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setenv("MONGODB_URI", f"mongodb://127.0.0.1:{port}")
    monkeypatch.setattr(connection, "CONNECT_TIMEOUT", 0.2)
    mongodb = Connection.from_environment()

    take_snapshot()
    restore()

    with pytest.raises(Unavailable), mongodb.database(context(seconds=1.2)) as db:
        db.command("ping")


{% if cookiecutter.auth == "iam" -%}
def test_a_copy_asks_for_credentials() -> None:
    Connection.from_environment()
    auth.set_use_cached_credentials(True)
    auth.set_cached_credentials(auth.AwsCredential("old", "old", "old"))

    take_snapshot()

    assert auth.get_cached_credentials() is None
{%- elif cookiecutter.auth == "password" -%}
def test_a_copy_asks_for_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    old = boto3.Session(aws_access_key_id="old", aws_secret_access_key="old")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", old)
    Connection.from_environment()

    take_snapshot()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "new")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "new")
    restore()

    assert boto3.DEFAULT_SESSION
    credentials = boto3.DEFAULT_SESSION.get_credentials()
    assert credentials
    assert credentials.access_key == "new"
{%- endif %}
