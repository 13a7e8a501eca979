"""The lab's operations as a function of a service with FastAPI."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from fastapi import APIRouter, Request

from .operations import REQUEST, operate  # first, since it sets up the connection

from ..api import Context, JsonRoute, make_app, make_handler  # isort: skip

router = APIRouter(route_class=JsonRoute)


@router.post("/")
def respond(request: Request, context: Context) -> dict[str, Any]:
    """Return 200 with the result."""
    return {"result": operate(request.scope["aws.event"], context)}


serve = make_handler(make_app("Lab", router))


def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Operate, as a function of the service's own."""
    return serve(REQUEST | event, context)
