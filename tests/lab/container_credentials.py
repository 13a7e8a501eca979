"""What gives a function with SnapStart its role's credentials, in place of variables."""

from __future__ import annotations

import json
import secrets
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from tests.support.servers import LOOPBACK

Variables = dict[str, str]


class ContainerCredentials:
    """The credentials of one role on loopback, for who has the token.

    >>> with ContainerCredentials(variables) as credentials:
    ...     Snapshot(code, handler, credentials.environment)

    `variables` are the AWS_… that other functions have. `reads` counts the requests, which get
    none as long as `refuse` is set.
    """

    def __init__(self, variables: Variables) -> None:
        self.reads = 0
        self.refuse = False
        self._token = secrets.token_hex(16)
        self.change(variables)

    def change(self, variables: Variables, seconds: float = 6 * 3600) -> None:
        """Give others from now on, which say that they expire in so many seconds."""
        expiration = datetime.now(UTC) + timedelta(seconds=seconds)
        self._answer = {
            "AccessKeyId": variables["AWS_ACCESS_KEY_ID"],
            "SecretAccessKey": variables["AWS_SECRET_ACCESS_KEY"],
            "Token": variables["AWS_SESSION_TOKEN"],
            "Expiration": expiration.isoformat(timespec="seconds").replace("+00:00", "Z"),
        }

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
    def environment(self) -> Variables:
        """What leads the SDK here."""
        uri = f"http://{LOOPBACK}:{self._server.server_port}/credentials"
        return {
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": self._token,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": uri,
        }

    def answer(self, token: str | None) -> tuple[int, dict[str, str]]:
        """Status and body of one request."""
        self.reads += 1
        if token != self._token:
            return 401, {}
        return (500, {}) if self.refuse else (200, self._answer)


class _Server(ThreadingHTTPServer):
    def __init__(self, credentials: ContainerCredentials) -> None:
        super().__init__((LOOPBACK, 0), _GetCredentials)
        self.credentials = credentials


class _GetCredentials(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        status, answer = self.server.credentials.answer(self.headers["Authorization"])
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Not on the test's output."""
