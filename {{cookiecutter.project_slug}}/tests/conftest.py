{%- from 'service.j2' import several with context -%}
"""Runs the handlers against a real MongoDB, as Lambda would call them.

Fixtures only: test modules import nothing from here, so that pytest may import them in any mode
and beside another service's.
"""
{% if cookiecutter.layout == "multi-lambda" %}
import importlib
{%- endif %}
import os
import re
import runpy
import sys
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
{%- if several %}
from urllib.parse import urlencode
{%- endif %}

import botocore
import pymongo
import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.loaders import Loader
from pymongo import MongoClient
from pymongo.errors import OperationFailure

PROJECT = Path(__file__).resolve().parent.parent
{%- if cookiecutter.iac == "cdk" %}
sys.path.insert(0, str(PROJECT))
{%- endif %}
sys.path.insert(0, str(PROJECT / "src"))
# By its path: the name isn't ours alone where the tests of several services run together.
mongodb = runpy.run_path(str(PROJECT / "scripts/mongodb.py"))
artefact = runpy.run_path(str(PROJECT / "scripts/build.py"))

# What this shell has for AWS, Powertools and proxies isn't for the service under test. It goes now,
# since Powertools reads its settings when the service is imported.
SETTINGS = re.compile(r"AWS_.*|POWERTOOLS_.*|.*_PROXY|LOG_LEVEL|MONGODB_(?!URI$).*", re.IGNORECASE)
for name in filter(SETTINGS.fullmatch, list(os.environ)):
    del os.environ[name]

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


@pytest.fixture
def context() -> Callable[..., LambdaContext]:
    """Make the context of an invocation that has ten seconds, or `seconds=…`."""
    return Context


@pytest.fixture(scope="session")
def mongodb_uri() -> Iterator[str]:
    """The MongoDB at `MONGODB_URI`, or else a throwaway one."""
    try:
        with mongodb["find_mongodb"]() as uri:
            yield uri
    except mongodb["NoMongoDB"] as error:
        pytest.exit(str(error), returncode=1)


@pytest.fixture(scope="session")
def database(mongodb_uri: str) -> Iterator[str]:
    """The name of a database of the tests' own, which is gone in the end."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with MongoClient[dict[str, Any]](mongodb_uri) as client:
        try:
            client[name].create_collection("tests")
        except OperationFailure as error:
            pytest.exit(
                "The user in MONGODB_URI may not write to the tests' own database, as one with "
                f"readWriteAnyDatabase may: MongoDB's error {error.code}.",
                returncode=1,
            )
        yield name
        for collection in client[name].list_collection_names():  # dropping all takes more rights
            client[name].drop_collection(collection)


@pytest.fixture(scope="session", autouse=True)
def clients() -> Iterator[list[MongoClient[Any]]]:
    """All clients that were built. They are closed in the end, as with Lambda's environment."""
    built: list[MongoClient[Any]] = []
    build = MongoClient.__init__

    def remember(client: MongoClient[Any], *args: Any, **kwargs: Any) -> None:
        built.append(client)
        build(client, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MongoClient, "__init__", remember)
        yield built
    for client in built:
        with pymongo.timeout(0.001):  # servers may be gone, and needn't be told
            client.close()


@pytest.fixture(scope="session", autouse=True)
def services() -> Iterator[None]:
    """The services of AWS that boto3 knows in Lambda: the build leaves the others out."""
    load = Loader.load_service_model

    def load_shipped(loader: Loader, service_name: str, *args: Any, **kwargs: Any) -> Any:
        callers = [Path(frame.f_code.co_filename) for frame, _ in traceback.walk_stack(None)]
        if any(it.is_relative_to(PROJECT / "src") for it in callers):  # and not a test of its own
            shipped = artefact["services"](Path(botocore.__file__).parent.parent)
            if service_name not in shipped:
                pytest.fail(
                    f"The build leaves out what boto3 needs for {service_name}: add it to SERVICES "
                    "in scripts/build.py"
                )
        return load(loader, service_name, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Loader, "load_service_model", load_shipped)
        yield


@pytest.fixture(scope="module", autouse=True)
def lambda_environment(mongodb_uri: str, database: str) -> Iterator[None]:
    """The environment variables that a deployed function has."""
    with pytest.MonkeyPatch.context() as patch:
        # The driver behaves differently in Lambda: it polls the servers, and connects lazily.
        patch.setenv("AWS_EXECUTION_ENV", "AWS_Lambda_python")
        patch.setenv("AWS_LAMBDA_FUNCTION_NAME", "test")
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            patch.setenv(name, os.devnull)
        patch.setenv("AWS_DEFAULT_REGION", "{{ cookiecutter.aws_region }}")
        patch.setenv("AWS_REGION", "{{ cookiecutter.aws_region }}")
        patch.setenv("MONGODB_URI", mongodb_uri)
        patch.delenv("MONGODB_OPTIONS", raising=False)
        patch.setenv("MONGODB_DATABASE", database)
        patch.setenv("POWERTOOLS_SERVICE_NAME", "{{ cookiecutter.project_slug }}")
        yield


@pytest.fixture
def invoke(clients: list[MongoClient[Any]]) -> Invoke:
    """Call the handler of a route with the event that API Gateway would send.

    No invocation may build a client: that opens new connections each time.
    """
{% if several %}
    def call(
        route: str,
        *,
        id: str = "0" * 24,
        query: dict[str, str] | None = None,
        **event: Any,
    ) -> dict[str, Any]:
{%- else %}
    def call(route: str) -> dict[str, Any]:
{%- endif %}
        # Imported here: by now the environment is that of a deployed function.
        {% if cookiecutter.layout == "multi-lambda" -%}
        from {{ cookiecutter.__package }} import functions

        name = functions.ROUTES.get(route) or route.replace("-", "_")  # not called by HTTP
        module = importlib.import_module(f"{functions.__name__}.{name}")
        handler: Invoke = module.handler
        {%- elif cookiecutter.layout in ["single", "multi", "web"] -%}
        from {{ cookiecutter.__package }}.app import handler
        {%- endif %}

{% if several %}        event["routeKey"] = route
        method, _, path = route.partition(" ")
        if path:  # else it isn't called by HTTP
            path = re.sub(r"\{\w+\}", id, path)
            event = {
                "version": "2.0",
                "rawPath": path,
                "rawQueryString": urlencode(query or {}),
                "queryStringParameters": query,
                "headers": {"content-type": "application/json"},
                "requestContext": {"http": {"method": method, "path": path}, "stage": "$default"},
            } | event
{% else %}        event = {"version": "2.0", "routeKey": route}
{% endif %}        before = len(clients)
        response: dict[str, Any] = handler(event, Context())
        assert len(clients) == before, "build the client once, at module scope, not in a handler"
        return response

    return call
