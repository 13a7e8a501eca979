"""Runs the handlers against a real MongoDB, as Lambda would call them."""

{% if cookiecutter.layout == "multi-lambda" -%}
import importlib
{% endif -%}
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from pymongo import MongoClient

from mongodb import NoMongoDB, find_mongodb

Invoke = Callable[..., dict[str, Any]]


class Context(LambdaContext):
    """What Lambda tells a handler about its invocation."""

    _function_name = "test"
    _memory_limit_in_mb = 512
    _invoked_function_arn = "arn:aws:lambda:{{ cookiecutter.aws_region }}:123456789012:function:test"
    _aws_request_id = "4b0f2c5e-0000-4000-8000-000000000000"

    def __init__(self, seconds: float = 10.0) -> None:
        self._deadline = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:  # type: ignore[override]
        return int((self._deadline - time.monotonic()) * 1000)


@pytest.fixture(scope="session")
def mongodb_uri() -> Iterator[str]:
    """The MongoDB at `MONGODB_URI`, or else a throwaway one."""
    try:
        with find_mongodb() as uri:
            yield uri
    except NoMongoDB as error:
        pytest.exit(str(error), returncode=1)


@pytest.fixture(scope="session")
def database(mongodb_uri: str) -> Iterator[str]:
    """The name of a database of the tests' own, dropped in the end."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield name
    with MongoClient[dict[str, Any]](mongodb_uri) as client:
        client.drop_database(name)


@pytest.fixture(scope="session", autouse=True)
def lambda_environment(mongodb_uri: str, database: str) -> Iterator[None]:
    """The environment variables that a deployed function has."""
    with pytest.MonkeyPatch.context() as patch:
        # The driver behaves differently in Lambda: it polls the servers, and connects lazily.
        patch.setenv("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001")
        patch.setenv("AWS_LAMBDA_FUNCTION_NAME", "test")
        patch.setenv("MONGODB_URI", mongodb_uri)
        patch.setenv("MONGODB_DATABASE", database)
        patch.setenv("POWERTOOLS_SERVICE_NAME", "{{ cookiecutter.project_slug }}")
        yield


@pytest.fixture
def invoke() -> Invoke:
    """Call the handler of a route with the event that API Gateway would send."""

    def call(
        route: str,
        *,
        id: str | None = None,
        query: dict[str, str] | None = None,
        **event: Any,
    ) -> dict[str, Any]:
        # Imported here: by now the environment is that of a deployed function.
        {% if cookiecutter.layout == "multi-lambda" -%}
        from {{ cookiecutter.__package }} import functions

        name = functions.ROUTES.get(route) or route.replace("-", "_")  # not called by HTTP
        module = importlib.import_module(f"{functions.__name__}.{name}")
        handler: Callable[..., dict[str, Any]] = module.handler
        {%- else -%}
        from {{ cookiecutter.__package }}.app import handler
        {%- endif %}

        event |= {"version": "2.0", "routeKey": route}
        if id is not None:
            event["pathParameters"] = {"id": id}
        if query is not None:
            event["queryStringParameters"] = query
        return handler(event, Context())

    return call
