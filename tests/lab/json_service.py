"""An HTTP service on loopback that answers with JSON: what stand-ins for AWS's have in common."""

from __future__ import annotations

import json
import sys
import threading
from abc import ABC, abstractmethod
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tests.support.servers import LOOPBACK


class JsonService(ABC):
    """Answers requests, each in a thread of its own, while it is entered."""

    content_type = "application/json"

    def __enter__(self) -> Self:
        self._server = _Server(self)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        return self._server.server_port

    @abstractmethod
    def respond(self, headers: Message, body: bytes, /) -> tuple[int, dict[str, str]]:
        """Status and body of one request."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 1024  # of a storm: connections that wait to be accepted

    def __init__(self, service: JsonService) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.service = service

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that have waited long enough hang up; anything else is a fault of ours."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self._respond()

    def do_POST(self) -> None:
        self._respond()

    def _respond(self) -> None:
        service = self.server.service
        given = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, answer = service.respond(self.headers, given)
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", service.content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Not on the test's output."""
