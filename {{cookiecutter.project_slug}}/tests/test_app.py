"""The function responds, with what the database says."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from {{ cookiecutter.__package }}.connection import Connection, Unavailable

Invoke = Callable[[str], Any]


def test_answers_with_the_connected_database(invoke: Invoke, database: str) -> None:
    response = invoke("GET /")

    assert response["statusCode"] == 200
    assert json.loads(response["body"]) == {"database": database, "ping": 1.0}


def test_asks_to_come_back_while_the_database_is_unavailable(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Connection) -> None:
        raise Unavailable("The cluster is overloaded")

    monkeypatch.setattr(Connection, "_connected_client", refuse)
    response = invoke("GET /")

    assert response["statusCode"] == 503
    assert int(response["headers"]["Retry-After"]) > 0
    assert "overloaded" not in response["body"]
