"""The functions, and the API that invokes them."""

from typing import Any

from aws_cdk import Stack

from infra.api import Api
from infra.code import make_code
from infra.dashboard import add_dashboard
from infra.database import Database
from infra.service_function import ServiceFunction
from infra.settings import Settings

PACKAGE = "{{ cookiecutter.__package }}.functions"
# By module of the package, the routes that each function answers.
FUNCTIONS: dict[str, list[str]] = {
{%- for function in functions %}
    "{{ function.handler.split(".")[2] }}": [{% for route in function.routes %}"{{ route }}"{% endfor %}],
{%- endfor %}
}


def add_service(
    stack: Stack, settings: Settings, database: Database, **placement: Any
) -> dict[str, ServiceFunction]:
    """Make the API and the functions; return these by module."""
    api, code, functions = Api({{ {"iam": "stack", "jwt": "stack, settings"}[cookiecutter.api_auth] }}), make_code(), {}
    for module, routes in FUNCTIONS.items():
        name = f"{stack.stack_name}-{module.replace('_', '-')}"
        functions[module] = ServiceFunction(
            stack,
            module.title().replace("_", ""),
            settings,
            function_name=name,
            role_name=name,
            handler=f"{PACKAGE}.{module}.handler",
            code=code,
            **placement,
        )
        database.connect(functions[module])
        api.add(functions[module]{{ alias }}, routes)
    add_dashboard(stack, settings, functions.values())
    return functions
