"""The item service: create, get, list, delete."""

import base64
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from bson import ObjectId

from {{ cookiecutter.__package }}.connection import Connection, Unavailable

Invoke = Callable[..., dict[str, Any]]


def new_item(invoke: Invoke, **fields: Any) -> dict[str, Any]:
    """Create an item with a sku of its own and return it."""
    item = {"sku": uuid.uuid4().hex[:12].upper(), "name": "Mug", "quantity": 3} | fields
    response = invoke("POST /items", body=json.dumps(item))
    assert response["statusCode"] == 201, response
    return body(response)


def body(response: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON object in a response."""
    document = json.loads(response["body"])
    assert isinstance(document, dict)
    return document


def test_creates_and_gets_an_item(invoke: Invoke) -> None:
    item = new_item(invoke, name="Größe M ☕")

    response = invoke("GET /items/{id}", id=item["id"])

    assert response["statusCode"] == 200
    assert body(response) == item
    assert item["name"] == "Größe M ☕"


@pytest.mark.parametrize(
    "name",
    [
        "نیم\u200cفاصله",  # Persian is written with a zero-width non-joiner
        "ක්\u200dෂ",  # Sinhala with a zero-width joiner, as emoji are
        "👩🏽\u200d🍳 & ❤️ 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "10\u00a0kg",
        "שלום \u2067abc\u2069",  # isolated, as text of two directions is
        "e\u0301 \u3000 𠮷 \U0001fae9",
        "x" * 200,
    ],
)
def test_takes_any_name_that_people_write(invoke: Invoke, name: str) -> None:
    item = new_item(invoke, name=name)

    assert body(invoke("GET /items/{id}", id=item["id"]))["name"] == name


def test_reads_a_base64_body(invoke: Invoke) -> None:
    encoded = base64.b64encode(b'{"sku": "B64", "name": "Mug"}').decode()

    response = invoke("POST /items", body=encoded, isBase64Encoded=True)

    assert response["statusCode"] == 201
    assert body(response)["quantity"] == 0


def test_refuses_a_sku_that_is_taken(invoke: Invoke) -> None:
    assert invoke("create-indexes")["statusCode"] == 200
    item = new_item(invoke)

    response = invoke("POST /items", body=json.dumps({"sku": item["sku"], "name": "Other"}))

    assert response["statusCode"] == 409


def test_creates_the_indexes_again_without_harm(invoke: Invoke) -> None:
    assert invoke("create-indexes") == invoke("create-indexes")


def test_lists_every_item_once_page_by_page(invoke: Invoke) -> None:
    created = [new_item(invoke)["id"] for _ in range(5)]

    listed: list[str] = []
    query = {"limit": "2"}
    while True:
        page = body(invoke("GET /items", query=query))
        assert len(page["items"]) <= 2
        listed += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        query["after"] = page["next"]

    assert len(listed) == len(set(listed))
    assert listed[-5:] == created


@pytest.mark.parametrize("limit", ["0", "101", "-1", "many", "", "١"])
def test_refuses_an_unbounded_page(invoke: Invoke, limit: str) -> None:
    assert invoke("GET /items", query={"limit": limit})["statusCode"] == 400


def test_deletes_an_item(invoke: Invoke) -> None:
    item = new_item(invoke)

    assert invoke("DELETE /items/{id}", id=item["id"]) == {"statusCode": 204}
    assert invoke("DELETE /items/{id}", id=item["id"])["statusCode"] == 404
    assert invoke("GET /items/{id}", id=item["id"])["statusCode"] == 404


@pytest.mark.parametrize("route", ["GET /items/{id}", "DELETE /items/{id}"])
def test_tells_a_malformed_id_from_a_missing_item(invoke: Invoke, route: str) -> None:
    assert invoke(route, id="42")["statusCode"] == 400
    assert invoke(route, id=str(ObjectId()))["statusCode"] == 404


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 100_000,
        '{"sku": "A"}',
        '{"sku": "a b", "name": "Mug"}',
        '{"sku": {"$gt": ""}, "name": "Mug"}',
        '{"sku": "A", "name": {"$ne": null}}',
        '{"sku": "A", "name": "Mug", "quantity": true}',
        '{"sku": "A", "name": "Mug", "quantity": -1}',
        '{"sku": "A", "name": "Mug", "quantity": 1e400}',
        '{"sku": "A", "name": "Mug", "$where": "1"}',
        *(
            json.dumps({"sku": "A", "name": f"Mug{character}"})
            # Controls, line separators, half of a surrogate pair, and what reorders the text.
            for character in "\0\t\n\r\x1b\x7f\x85\u2028\u2029\ud800\u202d\u202e"
        ),
        json.dumps({"sku": "A", "name": "x" * 201}),
        '{"sku": "A", "name": ""}',
    ],
)
def test_refuses_what_is_not_an_item(invoke: Invoke, text: str) -> None:
    response = invoke("POST /items", body=text)

    assert response["statusCode"] == 400
    assert body(response)["message"]


def test_refuses_a_missing_body(invoke: Invoke) -> None:
    assert invoke("POST /items")["statusCode"] == 400


@pytest.mark.parametrize(
    ("route", "event"),
    [
        ("GET /items", {"queryStringParameters": {"limit": {"$gt": ""}}}),
        ("GET /items", {"queryStringParameters": {"after": {"$gt": ""}}}),
        ("GET /items/{id}", {"pathParameters": {"id": {"$ne": None}}}),
        ("DELETE /items/{id}", {"pathParameters": {"id": {"$ne": None}}}),
        ("DELETE /items/{id}", {}),
    ],
)
def test_refuses_parameters_that_are_not_text(
    invoke: Invoke, route: str, event: dict[str, Any]
) -> None:
    assert invoke(route, **event)["statusCode"] == 400


def test_asks_to_come_back_while_the_database_is_unavailable(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke("GET /items")  # makes the connection

    def refuse(_: Connection) -> None:
        raise Unavailable("The cluster is overloaded")

    monkeypatch.setattr(Connection, "_connected_client", refuse)
    response = invoke("GET /items")

    assert response["statusCode"] == 503
    assert int(response["headers"]["retry-after"]) > 0
    assert "overloaded" not in response["body"]
