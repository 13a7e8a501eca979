"""The API: Powertools' event handler, and what it leaves to the service."""

import base64
import json
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler.api_gateway import (
    APIGatewayHttpResolver,
    Response,
    Router,
)
from aws_lambda_powertools.event_handler.exceptions import RequestEntityTooLargeError
from aws_lambda_powertools.event_handler.openapi.exceptions import ResponseValidationError
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, StrictBool, ValidationError, ValidationInfo, field_validator

{% if cookiecutter.api_auth == "jwt" -%}
from .caller import caller_of
{% endif -%}
from .connection import RETRY_AFTER, Unavailable

Handler = Callable[[Any, LambdaContext], Any]

MAX_BODY = 100_000  # characters

logger = Logger()


class Http(BaseModel):
    """The request line."""

    method: str


class Context(BaseModel):
    """Where API Gateway got the request."""

    http: Http
    stage: str


class Request(BaseModel):
    """What the event handler takes for granted in an event, and a direct invocation may lack."""

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

    def may_be_json(self) -> bool:
        """Whether there is a body that is JSON by its type, or none."""
        types = [value for name, value in self.headers.items() if name.lower() == "content-type"]
        return not self.body or all(it.startswith("application/json") for it in types)


def make_handler(*routers: Router) -> Handler:
    """Build a Lambda handler that serves the routes of routers."""
    api = make_api(*routers)

    @logger.inject_lambda_context
    def handler(event: Any, context: LambdaContext) -> dict[str, Any]:
        """Handle a request of the HTTP API (payload format 2.0)."""
{%- if cookiecutter.api_auth == "jwt" %}
        caller = caller_of(event)
        logger.append_keys(caller=caller.subject if caller else None)
{%- endif %}
        try:
            request = Request.model_validate(event)
        except ValidationError as error:
            return refusal(400, [{"loc": it["loc"], "type": it["type"]} for it in error.errors()])
        if not request.may_be_json():  # the event handler would also take forms
            loc = ["headers", "content-type"]
            return refusal(415, [{"loc": loc, "type": "unsupported_content_type"}])
        return api.resolve(event | {"body": request.body, "isBase64Encoded": False}, context)

    return handler


def refusal(status: int, detail: list[dict[str, Any]]) -> dict[str, Any]:
    """Build a response as the event handler's own to what isn't valid."""
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps({"statusCode": status, "detail": detail}),
    }


def make_api(*routers: Router) -> APIGatewayHttpResolver:
    """Build what routes requests, validates them by the functions' types, and describes them."""
    api = APIGatewayHttpResolver(
        enable_validation=True,
        response_validation_error_http_code=500,
        json_body_deserializer=json_object,
    )
    for router in routers:
        api.include_router(router)

    api.exception_handler(Unavailable)(unavailable)
    api.exception_handler(ResponseValidationError)(broken)
    return api


def unavailable(_: Unavailable) -> Response[dict[str, Any]]:
    """Ask the caller to come back."""
    body = {"statusCode": 503, "message": "The database is unavailable. Try again."}
    return Response(503, "application/json", body, headers={"Retry-After": RETRY_AFTER})


def broken(error: ResponseValidationError) -> None:
    """Let a response of the wrong type be an error of the function, as any bug: 500."""
    raise error


def json_object(text: str) -> dict[str, Any]:
    """Read a JSON object, whose keys must differ.

    Raises:
        JSONDecodeError: there is none; it becomes a 422 response.
    """
    if len(text) > MAX_BODY:
        raise RequestEntityTooLargeError(f"The body must have up to {MAX_BODY} characters.")
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
