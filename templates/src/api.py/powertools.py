"""The API: Powertools' event handler, and what it leaves to the service."""

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
from aws_lambda_powertools.event_handler.openapi.types import OpenAPIResponse
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, ValidationError

{% if cookiecutter.api_auth == "jwt" -%}
from .caller import caller_of
{% endif -%}
from .connection import Unavailable, retry_after
from .events import MAX_BODY, Request, json_object, malformed, refusal

Handler = Callable[[Any, LambdaContext], Any]

logger = Logger()


class Refusal(BaseModel):
    """What a response says that has nothing else."""

    statusCode: int
    message: str


REFUSAL: Any = {"application/json": {"model": Refusal}}
INVALID_SCHEMA = {"$ref": "#/components/schemas/HTTPValidationError"}
INVALID: Any = {"application/json": {"schema": INVALID_SCHEMA}}
RETRY: Any = {"Retry-After": {"description": "Seconds", "schema": {"type": "integer"}}}

# By their status. Those of 200 and 201 have the type that the function returns.
RESPONSES: dict[int, OpenAPIResponse] = {
    200: {"description": "What was asked for."},
    201: {"description": "What was created."},
    204: {"description": "It is gone.", "content": {}},
    400: {"description": "The body isn't text.", "content": INVALID},
    404: {"description": "There is none.", "content": REFUSAL},
    409: {"description": "It conflicts with what is there.", "content": REFUSAL},
    413: {"description": "The body is too long.", "content": REFUSAL},
    415: {"description": "The body isn't JSON by its type.", "content": INVALID},
    503: {"description": "The database is unavailable.", "content": REFUSAL, "headers": RETRY},
}


def may_return(*statuses: int) -> dict[int, OpenAPIResponse]:
    """Describe what a route responds with, besides 422 and, where there is no database, 503."""
    return {status: RESPONSES[status] for status in (*statuses, 503)}


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
            return malformed(error)
        if not may_be_json(request):  # the event handler would also take forms
            loc = ["headers", "content-type"]
            return refusal(415, [{"loc": loc, "type": "unsupported_content_type"}])
        return api.resolve(event | {"body": request.body, "isBase64Encoded": False}, context)

    return handler


def make_api(*routers: Router) -> APIGatewayHttpResolver:
    """Build what routes requests, validates them by the functions' types, and describes them."""
    api = APIGatewayHttpResolver(
        enable_validation=True,
        response_validation_error_http_code=500,
        json_body_deserializer=body_of,
    )
    for router in routers:
        api.include_router(router)

    api.exception_handler(Unavailable)(unavailable)
    api.exception_handler(ResponseValidationError)(broken)
    return api


def unavailable(_: Unavailable) -> Response[dict[str, Any]]:
    """Ask the caller to come back."""
    body = {"statusCode": 503, "message": "The database is unavailable. Try again."}
    return Response(503, "application/json", body, headers={"Retry-After": retry_after()})


def broken(error: ResponseValidationError) -> None:
    """Let a response of the wrong type be an error of the function, as any bug: 500."""
    raise error


def body_of(text: str) -> dict[str, Any]:
    """Return the object in a body."""
    if len(text) > MAX_BODY:
        raise RequestEntityTooLargeError(f"The body must have up to {MAX_BODY} characters.")
    return json_object(text)


def may_be_json(request: Request) -> bool:
    """Whether there is a body that is JSON by its type, or none."""
    types = [it for name, it in request.headers.items() if name.lower() == "content-type"]
    return not request.body or all(it.startswith("application/json") for it in types)
