"""Stands in for the compiled part of awslambdaric, which there is for Linux only.

`make local` uses it elsewhere. It is nothing but the HTTP of the Runtime API.
"""

import os
from http.client import HTTPConnection, HTTPMessage
from typing import Any

_API = "/2018-06-01/runtime/invocation"


def initialize_client(user_agent: str) -> None:
    """Nothing has to be prepared."""


def next() -> tuple[bytes, dict[str, Any]]:
    """Wait for an event; return it and the headers that come with it."""
    event, received = _call("GET", f"{_API}/next")
    headers: dict[str, Any] = {name.title(): value for name, value in received.items()}
    headers["Lambda-Runtime-Deadline-Ms"] = int(headers["Lambda-Runtime-Deadline-Ms"])
    return event, headers


def post_invocation_result(
    invoke_id: str, result: bytes, content_type: str, invocation_id: str | None = None
) -> None:
    """Send what the handler returned."""
    _call("POST", f"{_API}/{invoke_id}/response", result)


def post_error(
    invoke_id: str, error: str, xray_fault: str, invocation_id: str | None = None
) -> None:
    """Send what went wrong."""
    _call("POST", f"{_API}/{invoke_id}/error", error.encode())


def _call(method: str, path: str, body: bytes | None = None) -> tuple[bytes, HTTPMessage]:
    connection = HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    connection.request(method, path, body)
    response = connection.getresponse()
    return response.read(), response.headers
