"""What API Gateway sends. A direct invocation may send anything."""

import base64
import json
from typing import Any

from pydantic import BaseModel, StrictBool, ValidationError, ValidationInfo, field_validator

MAX_BODY = 100_000  # characters


class Http(BaseModel):
    """The request line."""

    method: str


class Context(BaseModel):
    """Where API Gateway got the request."""

    http: Http
    stage: str


class Request(BaseModel):
    """What handlers take for granted in an event."""

    rawPath: str
    rawQueryString: str = ""
    requestContext: Context
    headers: dict[str, str]
    queryStringParameters: dict[str, str] | None = None
    cookies: list[str] | None = None
    isBase64Encoded: StrictBool = False
    body: str | None = None

    @field_validator("body")
    @classmethod
    def decode(cls, body: str | None, info: ValidationInfo) -> str | None:
        """Return the body as text."""
        if body and info.data.get("isBase64Encoded"):
            return base64.b64decode(body, validate=True).decode()
        return body


def refusal(status: int, detail: list[dict[str, Any]]) -> dict[str, Any]:
    """Build a response to what isn't valid."""
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps({"statusCode": status, "detail": detail}),
    }


def malformed(error: ValidationError) -> dict[str, Any]:
    """Build a response to what isn't a request."""
    said = {"msg": "API Gateway wouldn't send this"}
    return refusal(400, [{"loc": it["loc"], "type": it["type"], **said} for it in error.errors()])


def json_object(text: str) -> dict[str, Any]:
    """Read a JSON object, whose keys must differ.

    Raises:
        JSONDecodeError: there is none; it becomes a 422 response.
    """
    try:
        document = json.loads(text, object_pairs_hook=differing)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise json.JSONDecodeError("not an object", "", 0)
    return document


def differing(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the pairs as a dict."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found
