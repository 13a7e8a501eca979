"""One Lambda function, several logical functions: each has a router."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from .api import make_handler
from .functions import create_indexes, create_item, delete_item, get_item, list_items

# The API's routes, and the routers that have them.
ROUTERS = {
    "POST /items": create_item.router,
    "GET /items": list_items.router,
    "GET /items/{id}": get_item.router,
    "DELETE /items/{id}": delete_item.router,
}
# By the routeKey of a direct invocation, which takes IAM permission. API Gateway has none of these.
DIRECT = {"create-indexes": create_indexes.handler}

serve = make_handler(*ROUTERS.values())


def handler(event: Any, context: LambdaContext) -> Any:
    """Handle a request of the HTTP API, or a direct invocation."""
    route = event.get("routeKey") if isinstance(event, dict) else None
    return DIRECT.get(str(route), serve)(event, context)
