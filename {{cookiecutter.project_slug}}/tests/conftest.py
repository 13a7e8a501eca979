"""Runs the handlers against a real MongoDB, as Lambda would call them."""

import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from pymongo import MongoClient

Invoke = Callable[..., dict[str, Any]]

NO_MONGODB = "No MongoDB to test with: set MONGODB_URI, put mongod on the PATH, or start Docker."


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
def mongodb_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The MongoDB at `MONGODB_URI`, or else a throwaway one."""
    if uri := os.environ.get("MONGODB_URI"):
        yield uri
    elif mongod := shutil.which("mongod"):
        with run_mongod(mongod, tmp_path_factory.mktemp("mongod")) as uri:
            yield uri
    elif has_docker():
        from testcontainers.mongodb import MongoDbContainer

        with MongoDbContainer("mongo:8") as container:
            yield container.get_connection_url()
    else:
        pytest.exit(NO_MONGODB, returncode=1)


def has_docker() -> bool:
    """Whether a Docker engine runs here."""
    docker = shutil.which("docker")
    if docker is None:
        return False
    return subprocess.run([docker, "info"], capture_output=True).returncode == 0


@contextmanager
def run_mongod(program: str, folder: Path) -> Iterator[str]:
    """Run mongod on a free port, with its data in the folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [program, "--dbpath", str(folder), "--bind_ip", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen([*command, "--logpath", str(folder / "mongod.log")])
    try:
        uri = f"mongodb://127.0.0.1:{port}"
        with MongoClient[dict[str, Any]](uri) as client:
            client.admin.command("ping")
        yield uri
    finally:
        server.terminate()
        server.wait()


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
        from {{ cookiecutter.__package }}.functions import (
            create_indexes,
            create_item,
            delete_item,
            get_item,
            list_items,
        )

        handler = {
            "POST /items": create_item.handler,
            "GET /items": list_items.handler,
            "GET /items/{id}": get_item.handler,
            "DELETE /items/{id}": delete_item.handler,
            "create-indexes": create_indexes.handler,
        }[route]
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
