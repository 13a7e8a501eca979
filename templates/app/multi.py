"""One Lambda function, several logical functions: routes each request to its own."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from .api import Response, response
from .functions import create_indexes, create_item, delete_item, get_item, list_items

# API Gateway has matched the route already. "create-indexes" isn't one of its routes: only a
# direct invocation reaches it, which takes IAM permission.
FUNCTIONS = {
    "POST /items": create_item.handler,
    "GET /items": list_items.handler,
    "GET /items/{id}": get_item.handler,
    "DELETE /items/{id}": delete_item.handler,
    "create-indexes": create_indexes.handler,
}


def handler(event: dict[str, Any], context: LambdaContext) -> Response:
    """Handle an HTTP API request (payload format 2.0)."""
    route = event.get("routeKey") if isinstance(event, dict) else None
    function = FUNCTIONS.get(str(route))
    if function is None:
        return response(404, {"message": "There is no such route."})
    return function(event, context)
