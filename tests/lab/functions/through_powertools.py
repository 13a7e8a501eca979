"""The lab's operations as a function of a service with Powertools' event handler."""

from typing import Any

from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.utilities.typing import LambdaContext

from .operations import REQUEST, operate  # first, since it sets up the connection

from ..api import make_handler  # isort: skip

router = Router()


@router.post("/")
def respond() -> dict[str, Any]:
    """Return 200 with the result."""
    return {"result": operate(router.current_event.raw_event, router.lambda_context)}


serve = make_handler(router)


def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Operate, as a function of the service's own."""
    return serve(REQUEST | event, context)
