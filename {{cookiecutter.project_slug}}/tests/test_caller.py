"""Callers are whom API Gateway names."""

from typing import Any

import pytest

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
