"""Between API Gateway's events (payload format 2.0) and the functions."""

import base64
import functools
import json
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from bson import ObjectId

from .connection import Unavailable

Event = dict[str, Any]
Response = dict[str, Any]
Handler = Callable[[Event, LambdaContext], Response]

logger = Logger()


class Refused(Exception):
    """The request can't be served: the status and the message are the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def endpoint(handler: Handler) -> Handler:
    """Turn `Refused` and `Unavailable` into answers. Any other exception is a fault: 500."""

    @logger.inject_lambda_context
    @functools.wraps(handler)
    def answer(event: Event, context: LambdaContext) -> Response:
        try:
            if not isinstance(event, dict):  # only a direct invocation can do that
                raise Refused(400, "The event must be a JSON object.")
            return handler(event, context)
        except Refused as refused:
            return reply(refused.status, {"message": str(refused)})
        except Unavailable:
            return reply(503, {"message": "The database is unavailable. Try again."})

    return answer


def reply(status: int, body: dict[str, Any] | None = None) -> Response:
    """Build the answer that API Gateway expects."""
    if body is None:
        return {"statusCode": status}
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json"},
        "body": json.dumps(body),
    }


def json_body(event: Event) -> dict[str, Any]:
    """Return the request's JSON object.

    Raises:
        Refused: 400, if there is none.
    """
    body = event.get("body") or ""
    try:
        if event.get("isBase64Encoded"):
            body = base64.b64decode(body, validate=True)
        document = json.loads(body)
    except (TypeError, ValueError, RecursionError):
        raise Refused(400, "The body must be JSON.") from None
    if not isinstance(document, dict):
        raise Refused(400, "The body must be a JSON object.")
    return document


def item_id(event: Event) -> ObjectId:
    """Return the id in the request's path.

    Raises:
        Refused: 400, if it isn't an ObjectId.
    """
    return object_id(parameters(event, "pathParameters").get("id", ""), "The id")


def parameters(event: Event, kind: str) -> dict[str, str]:
    """Return the request's `pathParameters` or `queryStringParameters`, which it may lack.

    Raises:
        Refused: 400, if they aren't strings by name. API Gateway's always are.
    """
    found = event.get(kind)
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(it, str) for it in found.values()):
        raise Refused(400, f"{kind} must be an object of strings.")
    return found


def object_id(text: str, name: str) -> ObjectId:
    """Parse an ObjectId; the name begins the message that refuses a malformed one.

    Raises:
        Refused: 400.
    """
    if not ObjectId.is_valid(text):
        raise Refused(400, f"{name} must be 24 hexadecimal digits.")
    return ObjectId(text)
