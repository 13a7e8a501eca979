"""GET / says which database the service is connected to."""

import json
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

{% if cookiecutter.api_auth == "jwt" -%}
from .caller import caller_of
{% endif -%}
from .connection import Connection, Unavailable, retry_after

logger = Logger()

# Outside the handler: made once per execution environment, used by all its invocations.
mongodb = Connection.from_environment()


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle an HTTP API request (payload format 2.0)."""
{%- if cookiecutter.api_auth == "jwt" %}
    caller = caller_of(event)
    logger.append_keys(caller=caller.subject if caller else None)
{%- endif %}
    try:
        with mongodb.database(context) as db:
            ping = db.command("ping")
            return response(200, {"database": db.name, "ping": ping["ok"]})
    except Unavailable:
        message = "The database is unavailable. Try again."
        return response(503, {"message": message}, {"Retry-After": retry_after()})


def response(
    status: int, body: dict[str, Any], headers: dict[str, str] | None = None
) -> dict[str, Any]:
    """Build a response for API Gateway."""
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json"} | (headers or {}),
        "body": json.dumps(body),
    }
