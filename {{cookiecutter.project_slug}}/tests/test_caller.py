{%- from 'service.j2' import framework with context -%}
"""Callers are whom API Gateway names."""

{% if framework == "fastapi" -%}
from collections.abc import Callable
from typing import Annotated, Any
{%- elif framework in ["none", "powertools"] -%}
from typing import Any
{%- endif %}

import pytest
{%- if framework == "fastapi" %}
from aws_lambda_powertools.utilities.typing import LambdaContext
from fastapi import APIRouter, Security
{%- endif %}

{% if framework == "fastapi" -%}
from {{ cookiecutter.__package }}.api import caller_with, make_app, make_handler
{% endif -%}
from {{ cookiecutter.__package }}.caller import Caller, caller_of


def event(**claims: Any) -> dict[str, Any]:
    """Build the part of an event that names the caller."""
    return {"requestContext": {"authorizer": {"jwt": {"claims": claims, "scopes": None}}}}


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({}, set()),
        ({"scope": "items.read items.write"}, {"items.read", "items.write"}),
        ({"scp": "[items.read items.write]"}, {"items.read", "items.write"}),
    ],
)
def test_a_token_names_its_caller(claims: dict[str, str], scopes: set[str]) -> None:
    assert caller_of(event(sub="auth0|42", **claims)) == Caller("auth0|42", frozenset(scopes))


@pytest.mark.parametrize("other", [event(), event(sub=42), {}, {"requestContext": {}}, None, []])
def test_without_a_token_there_is_no_caller(other: Any) -> None:
    assert caller_of(other) is None
{%- if framework == "fastapi" %}


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"sub": "auth0|42", "scope": "items.read items.write"}, 200),
        ({"sub": "auth0|42", "scope": "items.write"}, 403),
        ({"sub": "auth0|42", "scope": "items.read.all"}, 403),
        ({"sub": "auth0|42"}, 403),
        ({}, 401),
    ],
)
def test_an_endpoint_may_ask_for_scopes(
    claims: dict[str, str], status: int, context: Callable[..., LambdaContext]
) -> None:
    router = APIRouter()

    @router.get("/scoped")
    def scoped(caller: Annotated[Caller, Security(caller_with, scopes=["items.read"])]) -> str:
        return caller.subject

    called = event(**claims)
    called["requestContext"] |= {"http": {"method": "GET"}, "stage": "$default"}
    serve = make_handler(make_app("Test", router))
    response = serve({"rawPath": "/scoped", "headers": {}} | called, context())

    assert response["statusCode"] == status
    if status == 200:
        assert response["body"] == '"auth0|42"'
    else:
        assert response["headers"]["www-authenticate"].startswith("Bearer")
{%- endif %}
