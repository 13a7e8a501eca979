{%- from 'service.j2' import framework with context -%}
"""The item service: create, get, list, delete."""

{% if framework == "fastapi" -%}
import asyncio
{% endif -%}
import base64
{%- if cookiecutter.layout in ["multi-lambda", "web"] %}
import importlib
{%- endif %}
import json
{%- if cookiecutter.layout == "web" %}
import pkgutil
{%- endif %}
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from bson import ObjectId

{%- if framework == "powertools" %}
from pydantic import ValidationError
{%- endif %}

{% if framework == "powertools" -%}
from {{ cookiecutter.__package }}.api import make_api
{% endif -%}
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


def refused(response: dict[str, Any]) -> list[Any]:
    """Return where in the request the first fault is."""
    assert response["statusCode"] in (400, 422), response
    document = body(response)
{%- if framework == "powertools" %}
    assert document["statusCode"] == response["statusCode"]
{%- endif %}
    place = document["detail"][0]["loc"]
    assert isinstance(place, list)
    return place


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
    assert "sku_1" in invoke("create-indexes")["indexes"]
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


@pytest.mark.parametrize(
    "limit", ["0", "101", "-1", "many", "", "١", "５", "1,2", " 5", "+5", "5.0", "1_0", "9" * 5000]
)
def test_refuses_an_unbounded_page(invoke: Invoke, limit: str) -> None:
    assert refused(invoke("GET /items", query={"limit": limit})) == ["query", "limit"]
{%- if framework == "powertools" %}


def test_refuses_a_parameter_that_is_there_twice(invoke: Invoke) -> None:
    twice = {"query": {"limit": "1,2"}, "rawQueryString": "limit=1&limit=2"}

    assert refused(invoke("GET /items", **twice))[:2] == ["query", "limit"]
{%- endif %}


def test_deletes_an_item(invoke: Invoke) -> None:
    item = new_item(invoke)

    assert invoke("DELETE /items/{id}", id=item["id"])["statusCode"] == 204
    assert invoke("DELETE /items/{id}", id=item["id"])["statusCode"] == 404
    assert invoke("GET /items/{id}", id=item["id"])["statusCode"] == 404


@pytest.mark.parametrize("route", ["GET /items/{id}", "DELETE /items/{id}"])
def test_tells_a_malformed_id_from_a_missing_item(invoke: Invoke, route: str) -> None:
    for malformed in ("42", "g" * 24, "１" * 24, "00 " * 8, "%30" * 24, "{$ne}"):
        assert refused(invoke(route, id=malformed)) == ["path", "id"]
    assert invoke(route, id=str(ObjectId()))["statusCode"] == 404


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "5",
        '[{"sku": "A", "name": "Mug"}]',
        "\ufeff{}",
        "[" * 90_000,
        '{"sku": ' + '{"a": ' * 400 + "1" + "}" * 401,
        '{"sku": "A", "sku": "B", "name": "Mug"}',
        '{"sku": "A", "name": "Mug", "quantity": NaN}',
        '{"sku": "A", "name": "Mug", "quantity": %s}' % ("9" * 5000),
    ],
)
def test_refuses_what_is_not_a_json_object(invoke: Invoke, text: str) -> None:
    assert refused(invoke("POST /items", body=text))[0] == "body"


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("name", {"sku": "A"}),
        ("sku", {"sku": "a b", "name": "Mug"}),
        ("sku", {"sku": "A\n", "name": "Mug"}),
        ("sku", {"sku": "１", "name": "Mug"}),
        ("sku", {"sku": {"$gt": ""}, "name": "Mug"}),
        ("name", {"sku": "A", "name": {"$ne": None}}),
        *(
            ("name", {"sku": "A", "name": f"Mug{character}"})
            # Controls, line separators, half of a surrogate pair, and what reorders the text.
            for character in "\0\t\n\r\x1b\x7f\x85\u2028\u2029\ud800\u202d\u202e"
        ),
        ("name", {"sku": "A", "name": "x" * 201}),
        ("name", {"sku": "A", "name": ""}),
        *(
            ("quantity", {"sku": "A", "name": "Mug", "quantity": quantity})
            for quantity in (True, -1, 1_000_001, 10**4000, 3.0, "3", float("inf"), None)
        ),
        ("$where", {"sku": "A", "name": "Mug", "$where": "1"}),
        ("_id", {"sku": "A", "name": "Mug", "_id": "1"}),
        ("created_at", {"sku": "A", "name": "Mug", "created_at": "2020-01-01T00:00:00Z"}),
    ],
)
def test_refuses_what_is_not_an_item(invoke: Invoke, field: str, fields: dict[str, Any]) -> None:
    response = invoke("POST /items", body=json.dumps(fields))

    assert refused(response) == ["body", field]


def test_refuses_a_missing_body(invoke: Invoke) -> None:
    assert refused(invoke("POST /items")) == ["body"]


def test_refuses_a_body_that_is_too_long(invoke: Invoke) -> None:
    assert invoke("POST /items", body=json.dumps({"x" * 100_000: 1}))["statusCode"] == 413


@pytest.mark.parametrize("encoded", ["-", "e30", "/w==", "é", 5])
def test_refuses_a_body_that_is_not_base64(invoke: Invoke, encoded: Any) -> None:
    response = invoke("POST /items", body=encoded, isBase64Encoded=True)

    assert refused(response) == ["body"]


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "x"],
)
def test_refuses_a_body_that_is_not_said_to_be_json(invoke: Invoke, content_type: str) -> None:
    item = '{"sku": "TYPE", "name": "Mug"}'

    response = invoke("POST /items", body=item, headers={"Content-Type": content_type})

    assert response["statusCode"] == 415


@pytest.mark.parametrize(
    ("route", "event"),
    [
        ("GET /items", {"queryStringParameters": {"limit": {"$gt": ""}}}),
        ("GET /items", {"queryStringParameters": {"after": {"$gt": ""}}}),
        ("GET /items", {"queryStringParameters": "limit"}),
        ("GET /items/{id}", {"rawPath": {"$ne": None}}),
        ("DELETE /items/{id}", {"requestContext": {"http": {"method": ["DELETE"]}}}),
        ("POST /items", {"headers": None}),
        ("POST /items", {"isBase64Encoded": "yes"}),
    ],
)
def test_refuses_what_api_gateway_does_not_send(
    invoke: Invoke, route: str, event: dict[str, Any]
) -> None:
    assert refused(invoke(route, **event))[0] == next(iter(event))


{% if framework == "fastapi" -%}
def test_every_function_is_in_one_of_the_tables() -> None:
    from {{ cookiecutter.__package }} import app, functions

    for _, name, _ in pkgutil.iter_modules(functions.__path__):
        module = importlib.import_module(f"{functions.__name__}.{name}")
        found = getattr(module, "router", None) in app.ROUTERS
        assert found or module.handler in app.DIRECT.values(), f"app.py doesn't have {name}"


def test_describes_itself(invoke: Invoke) -> None:
    paths = body(invoke("GET /openapi.json"))["paths"]

    assert {"get", "post"} <= paths["/items"].keys()
    assert "/openapi.json" in invoke("GET /docs")["body"]


def test_serves_after_another_event_loop_has_ended(invoke: Invoke) -> None:
    asyncio.run(asyncio.sleep(0))

    assert invoke("GET /items")["statusCode"] == 200


def test_endpoints_have_the_context_of_their_invocation(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By which each operation ends; pymongo's own timeout wouldn't get into their threads."""
    given: list[LambdaContext] = []
    borrow = Connection.database

    def database(self: Connection, context: LambdaContext) -> Any:
        given.append(context)
        return borrow(self, context)

    monkeypatch.setattr(Connection, "database", database)
    for route in ("POST /items", "GET /items", "GET /items/{id}", "DELETE /items/{id}"):
        invoke(route, body=json.dumps({"sku": uuid.uuid4().hex.upper(), "name": "Mug"}))

    assert [it.aws_request_id for it in given] == [given[0].aws_request_id] * 4
    assert given[0].function_name == "test"
{%- elif cookiecutter.layout == "multi-lambda" -%}
def test_the_routers_have_the_routes_of_the_table() -> None:
    from {{ cookiecutter.__package }} import functions

    modules = {it: f"{functions.__name__}.{name}" for it, name in functions.ROUTES.items()}
    table = {route: importlib.import_module(name).router for route, name in modules.items()}

    for route, router in table.items():
        paths = make_api(router).get_openapi_schema().model_dump(exclude_none=True)["paths"]
        assert [f"{it.upper()} {path}" for path in paths for it in paths[path]] == [route]
{%- elif cookiecutter.layout == "multi" -%}
def test_the_routers_have_the_routes_of_the_table() -> None:
    from {{ cookiecutter.__package }}.app import ROUTERS

    for route, router in ROUTERS.items():
        paths = make_api(router).get_openapi_schema().model_dump(exclude_none=True)["paths"]
        assert [f"{it.upper()} {path}" for path in paths for it in paths[path]] == [route]
{%- endif %}


def test_has_no_other_routes(invoke: Invoke) -> None:
    assert invoke("GET /items", rawPath="/nothing")["statusCode"] == 404


def test_an_item_of_another_shape_in_the_database_is_an_error(
    invoke: Invoke, context: Callable[..., LambdaContext]
) -> None:
    with Connection.from_environment().database(context()) as db:
        key = db.items.insert_one({"sku": "OLD"}).inserted_id
    try:
        with pytest.raises({{ {"none": "", "powertools": "ValidationError", "fastapi": "RuntimeError"}[framework] }}):
            invoke("GET /items/{id}", id=str(key))
    finally:
        with Connection.from_environment().database(context()) as db:
            db.items.delete_one({"_id": key})


def test_asks_to_come_back_while_the_database_is_unavailable(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke("GET /items")  # makes the connection

    def refuse(_: Connection) -> None:
        raise Unavailable("The cluster is overloaded")

    monkeypatch.setattr(Connection, "_connected_client", refuse)
    response = invoke("GET /items")

    assert response["statusCode"] == 503
    assert int(response["headers"]["{{ {"none": "", "powertools": "Retry-After", "fastapi": "retry-after"}[framework] }}"]) > 0
    assert "overloaded" not in response["body"]
