"""The API: FastAPI, what it leaves to the service, and its handler for Lambda."""

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine
from typing import Annotated, Any
from urllib.parse import quote

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
{%- if cookiecutter.api_auth == "jwt" %}
from fastapi.security import HTTPBearer, SecurityScopes
{%- endif %}
from mangum import Mangum
from pydantic import BaseModel, ValidationError

from . import events
{% if cookiecutter.api_auth == "jwt" -%}
from .caller import Caller, caller_of
{% endif -%}
from .connection import Unavailable, retry_after

Handler = Callable[[Any, LambdaContext], Any]

logger = Logger()
logging.getLogger("mangum").setLevel(logging.WARNING)  # the API's own log has each request


class Refusal(BaseModel):
    """What a response says that has nothing else."""

    detail: str


INVALID_SCHEMA = {"$ref": "#/components/schemas/HTTPValidationError"}
INVALID: Any = {"application/json": {"schema": INVALID_SCHEMA}}
RETRY: Any = {"Retry-After": {"description": "Seconds", "schema": {"type": "integer"}}}

# By their status.
RESPONSES: dict[int | str, dict[str, Any]] = {
    400: {"description": "The body isn't text.", "content": INVALID},
    404: {"description": "There is none.", "model": Refusal},
    409: {"description": "It conflicts with what is there.", "model": Refusal},
    413: {"description": "The body is too long.", "model": Refusal},
    415: {"description": "The body isn't JSON by its type.", "model": Refusal},
    503: {"description": "The database is unavailable.", "model": Refusal, "headers": RETRY},
}


def may_return(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe what a route responds with, besides its own, 422 and 503 without a database."""
    return {status: RESPONSES[status] for status in (*statuses, 503)}


class Outside(LambdaContext):
    """What stands for an invocation where there is none, as behind uvicorn."""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """Return as much as a deployed function has."""
        return 10_000


async def context_of(request: Request) -> LambdaContext:
    """Return what Lambda says of the invocation that the request came with."""
    context: LambdaContext = request.scope.get("aws.context") or Outside()
    return context


# The type of an endpoint's parameter that gets it. `pymongo.timeout` holds in one thread, and
# endpoints have one of their own: so they borrow the database, and no dependency does.
Context = Annotated[LambdaContext, Depends(context_of)]
{% if cookiecutter.api_auth == "jwt" %}

async def caller_with(asked: SecurityScopes, request: Request) -> Caller:
    """Return who calls, for an endpoint's parameter that asks for scopes, by `Security`.

    Raises:
        HTTPException: 403 if one of them is missing, 401 if there is no token.
    """
    caller = caller_of(request.scope.get("aws.event"))
    if caller is None:
        raise HTTPException(401, "There is no token.", {"WWW-Authenticate": "Bearer"})
    if not caller.scopes.issuperset(asked.scopes):
        challenge = f'Bearer error="insufficient_scope", scope="{asked.scope_str}"'
        message = f"The token must have these scopes: {asked.scope_str}."
        raise HTTPException(403, message, {"WWW-Authenticate": challenge})
    return caller
{% endif %}

class JsonRequest(Request):
    """A request whose body is an object in JSON, if it has any."""

    async def body(self) -> bytes:
        """Return the body, or refuse it."""
        body = await super().body()
        if body and not self.headers.get("content-type", "").startswith("application/json"):
            raise HTTPException(415, "The body must be of the type application/json.")
        if len(body) > events.MAX_BODY:
            raise HTTPException(413, f"The body must have up to {events.MAX_BODY} bytes.")
        return body

    async def json(self) -> Any:
        """Return the object."""
        return events.json_object((await self.body()).decode())


class JsonRoute(APIRoute):
    """A route of such requests."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what handles a request."""
        handle = super().get_route_handler()

        async def handle_json(request: Request) -> Response:
            return await handle(JsonRequest(request.scope, request.receive))

        return handle_json


def make_app(title: str, *routers: APIRouter) -> FastAPI:
    """Build the application that has the routes of routers."""
    # A signature is for one URL, so nobody could follow a redirect to a path without its slash.
{%- if cookiecutter.api_auth == "jwt" %}
    token = HTTPBearer(scheme_name="bearer", bearerFormat="JWT", auto_error=False)
    app = FastAPI(title=title, redirect_slashes=False, dependencies=[Depends(token)])
{%- elif cookiecutter.api_auth == "iam" %}
    app = FastAPI(title=title, redirect_slashes=False)
{%- endif %}
    for router in routers:
        app.include_router(router)
    app.exception_handler(RequestValidationError)(invalid)
    app.exception_handler(Unavailable)(unavailable)
    return app


async def invalid(_: Request, error: RequestValidationError) -> Response:
    """Say where a request isn't valid, without what is there: some of it, as NaN, isn't JSON."""
    detail = [{name: it[name] for name in ("loc", "type", "msg")} for it in error.errors()]
    return Response(json.dumps({"detail": detail}), 422, media_type="application/json")


async def unavailable(_: Request, error: Unavailable) -> Response:
    """Ask the caller to come back."""
    message = {"detail": "The database is unavailable. Try again."}
    return JSONResponse(message, 503, headers={"Retry-After": retry_after()})


def make_handler(app: FastAPI) -> Handler:
    """Build the Lambda handler of an application."""
    # Mangum would run a lifespan around every invocation, and what it builds isn't reused.
    serve: Any = Mangum(app, lifespan="off")
    loop = asyncio.new_event_loop()

    @logger.inject_lambda_context
    def handler(event: Any, context: LambdaContext) -> dict[str, Any]:
        """Handle a request of the HTTP API (payload format 2.0)."""
{%- if cookiecutter.api_auth == "jwt" %}
        caller = caller_of(event)
        logger.append_keys(caller=caller.subject if caller else None)
{%- endif %}
        try:
            json.dumps(event, ensure_ascii=False).encode()  # half of a surrogate pair fails Mangum
            request = events.Request.model_validate(event)
        except UnicodeEncodeError:
            return events.refusal(400, [{"loc": [], "type": "string_unicode"}])
        except ValidationError as error:
            return events.malformed(error)
        path = quote(request.rawPath)  # Mangum decodes it, once too often
        http = {"sourceIp": ""} | event["requestContext"]["http"] | {"path": path}
        event = event | {
            "version": "2.0",
            "requestContext": event["requestContext"] | {"http": http},
            "body": request.body,
            "isBase64Encoded": False,
        }
        asyncio.set_event_loop(loop)  # which Mangum uses; `asyncio.run` elsewhere leaves none
        response: dict[str, Any] = serve(event, context)
        if response["statusCode"] == 500:  # an error of the function: Lambda counts it
            raise RuntimeError("The application failed, as the log says.")
        return response

    return handler
