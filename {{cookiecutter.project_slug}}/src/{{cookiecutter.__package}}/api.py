"""Reads requests from API Gateway's events (payload format 2.0), and builds responses."""

import base64
import functools
import json
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from bson import ObjectId

from .connection import RETRY_AFTER, Unavailable

Event = dict[str, Any]
Response = dict[str, Any]
Handler = Callable[[Event, LambdaContext], Response]

logger = Logger()


class RequestError(Exception):
    """The request can't be served. Its status and message make the response."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def endpoint(handler: Handler) -> Handler:
    """Turn `RequestError` and `Unavailable` into responses. Any other exception is a bug: 500."""

    @logger.inject_lambda_context
    @functools.wraps(handler)
    def wrapper(event: Event, context: LambdaContext) -> Response:
        try:
            if not isinstance(event, dict):  # only possible in a direct invocation
                raise RequestError(400, "The event must be a JSON object.")
            return handler(event, context)
        except RequestError as error:
            return response(error.status, {"message": str(error)})
        except Unavailable:
            message = "The database is unavailable. Try again."
            return response(503, {"message": message}, {"retry-after": RETRY_AFTER})

    return wrapper


def response(
    status: int, body: dict[str, Any] | None = None, headers: dict[str, str] | None = None
) -> Response:
    """Build a response for API Gateway."""
    if body is None:
        return {"statusCode": status}
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json"} | (headers or {}),
        "body": json.dumps(body),
    }


def json_body(event: Event) -> dict[str, Any]:
    """Return the request's JSON object.

    Raises:
        RequestError: 400, if there is none.
    """
    body = event.get("body") or ""
    try:
        if event.get("isBase64Encoded"):
            body = base64.b64decode(body, validate=True)
        document = json.loads(body)
    except (TypeError, ValueError, RecursionError):
        raise RequestError(400, "The body must be JSON.") from None
    if not isinstance(document, dict):
        raise RequestError(400, "The body must be a JSON object.")
    return document


def item_id(event: Event) -> ObjectId:
    """Return the id in the request's path.

    Raises:
        RequestError: 400, if it isn't an ObjectId.
    """
    return object_id(parameters(event, "pathParameters").get("id", ""), "The id")


def parameters(event: Event, kind: str) -> dict[str, str]:
    """Return the request's `pathParameters` or `queryStringParameters`, which it may lack.

    Raises:
        RequestError: 400, if they aren't strings by name. API Gateway's always are.
    """
    found = event.get(kind)
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(it, str) for it in found.values()):
        raise RequestError(400, f"{kind} must be an object of strings.")
    return found


def object_id(text: str, name: str) -> ObjectId:
    """Parse an ObjectId; the name begins the message that refuses a malformed one.

    Raises:
        RequestError: 400.
    """
    if not ObjectId.is_valid(text):
        raise RequestError(400, f"{name} must be 24 hexadecimal digits.")
    return ObjectId(text)
