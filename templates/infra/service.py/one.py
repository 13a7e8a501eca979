"""The function, and the API that invokes it."""

from typing import Any

from aws_cdk import Stack

from infra.api import Api
from infra.code import make_code
from infra.dashboard import add_dashboard
from infra.database import Database
from infra.service_function import ServiceFunction
from infra.settings import Settings

HANDLER = "{{ functions[0].handler }}"
ROUTES = [
{%- for route in functions[0].routes %}
    "{{ route }}",
{%- endfor %}
]


def add_service(
    stack: Stack, settings: Settings, database: Database, **placement: Any
) -> dict[str, ServiceFunction]:
    """Make the API and the function; return this by its module."""
    function = ServiceFunction(
        stack,
        "",
        settings,
        function_name=stack.stack_name,
        role_name=f"{stack.stack_name}-function",
        handler=HANDLER,
        code=make_code(),
        **placement,
    )
    database.connect(function)
    Api({{ {"iam": "stack", "jwt": "stack, settings"}[cookiecutter.api_auth] }}).add(function{{ alias }}, ROUTES)
    add_dashboard(stack, settings, [function])
    return {"app": function}
