"""Puts a Python process into the internet of the local AWS: tests/support/desk.py.

TEST_EXECUTE_API is the port to which the public names of HTTP APIs lead, without TLS. Waiting takes
no time here, since what is waited for changes by being looked at.
"""

import http.client
import os
import socket
import time
from typing import Any

_port = os.environ.get("TEST_EXECUTE_API")
_connect = http.client.HTTPSConnection.connect
_sleep = time.sleep


def _to_local_aws(self: Any) -> None:
    if ".execute-api." in self.host:
        self.sock = socket.create_connection(("127.0.0.1", int(_port or 0)))
    else:
        _connect(self)


if _port:
    http.client.HTTPSConnection.connect = _to_local_aws  # type: ignore[method-assign]
    time.sleep = lambda seconds: _sleep(min(float(seconds), 0.2))
