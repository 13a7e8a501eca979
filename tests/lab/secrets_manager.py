"""Secrets Manager's GetSecretValue: counted, and refused as told."""

from __future__ import annotations

import json
import sys
import threading
import uuid
from base64 import b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tests.support.servers import LOOPBACK


class SecretsManager:
    """The secrets of one account on loopback.

    >>> with SecretsManager() as secrets:
    ...     arn = secrets.put({"username": "alice", "password": "…"})
    ...     ExecutionEnvironment(code, handler, {**secrets.environment, "MONGODB_SECRET_ARN": arn})

    `reads` counts the requests for each ARN. `refusal` is an error code that all are answered
    with, such as AccessDeniedException. `binary` are the ARNs of secrets that aren't text.
    """

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.versions: dict[str, str] = {}
        self.reads: dict[str, int] = {}
        self.refusal: str | None = None
        self.binary: set[str] = set()

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

    @property
    def environment(self) -> dict[str, str]:
        """What leads the SDK here."""
        return {"AWS_ENDPOINT_URL_SECRETS_MANAGER": f"http://{LOOPBACK}:{self.port}"}

    def put(self, value: object, arn: str | None = None) -> str:
        """Store a value, as JSON unless it is a string, and return its new or given ARN."""
        arn = arn or f"arn:aws:secretsmanager:us-east-1:123456789012:secret:{uuid.uuid4().hex}"
        self.values[arn] = value if isinstance(value, str) else json.dumps(value)
        self.versions[arn] = str(uuid.uuid4())
        self.reads.setdefault(arn, 0)
        return arn

    def answer(self, arn: str) -> tuple[int, dict[str, str]]:
        """Status and body of one request."""
        self.reads[arn] = self.reads.get(arn, 0) + 1
        if self.refusal:
            return 400, {"__type": self.refusal, "Message": f"on resource: {arn}"}
        if arn not in self.values:
            message = "Secrets Manager can't find the specified secret."
            return 400, {"__type": "ResourceNotFoundException", "Message": message}
        found = {"ARN": arn, "VersionId": self.versions[arn]}
        if arn in self.binary:
            return 200, found | {"SecretBinary": b64encode(self.values[arn].encode()).decode()}
        return 200, found | {"SecretString": self.values[arn]}


class _Server(ThreadingHTTPServer):
    request_queue_size = 1024  # of a storm: connections that wait to be accepted

    def __init__(self, secrets: SecretsManager) -> None:
        super().__init__((LOOPBACK, 0), _GetSecretValue)
        self.secrets = secrets

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that have waited long enough hang up; anything else is a fault of ours."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _GetSecretValue(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        assert self.headers["X-Amz-Target"] == "secretsmanager.GetSecretValue"
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, answer = self.server.secrets.answer(request["SecretId"])
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Not on the test's output."""
