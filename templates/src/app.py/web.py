{%- from 'python.j2' import literal -%}
"""One Lambda function, a FastAPI application: each logical function has a router.

`app` runs behind any ASGI server, `handler` in Lambda.
"""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from .api import make_app, make_handler
from .functions import create_indexes, create_item, delete_item, get_item, list_items

TITLE = {{ literal(cookiecutter.project_name) }}
# What has the application's routes.
ROUTERS = [
    create_item.router,
    list_items.router,
    get_item.router,
    delete_item.router,
]
# By the routeKey of a direct invocation, which takes IAM permission. API Gateway has none of these.
DIRECT = {"create-indexes": create_indexes.handler}

app = make_app(TITLE, *ROUTERS)
serve = make_handler(app)


def handler(event: Any, context: LambdaContext) -> Any:
    """Handle a request of the HTTP API, or a direct invocation."""
    route = event.get("routeKey") if isinstance(event, dict) else None
    return DIRECT.get(str(route), serve)(event, context)
