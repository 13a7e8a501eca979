"""An execution environment of Lambda on this machine: a process, and the Runtime API around it.

The process runs Lambda's own runtime client, which asks for events and posts what comes of them:
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import importlib.util
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

INIT_LIMIT = 10.0  # seconds
TIMEOUT = 10.0  # of an invocation, as deployed
SCRIPTS = Path(__file__).resolve().parent
SOURCE = SCRIPTS.parent / "src"


class FunctionError(Exception):
    """The function failed. What it has to say is on the terminal."""


class ExecutionEnvironment:
    """A process that loads a handler once and calls it for one event after the other."""

    def __init__(self, handler: str, variables: Mapping[str, str]) -> None:
        self.code = snapshot()
        self._api = RuntimeApi()
        path = [str(SOURCE)]
        if importlib.util.find_spec("runtime_client") is None:  # awslambdaric compiles it on Linux
            path.append(str(SCRIPTS / "portable"))
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-B", "-m", "awslambdaric", handler],
            cwd=SOURCE,
            env={
                **os.environ,
                **variables,
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
                "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
                "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._api.server_port}",
                "LAMBDA_TASK_ROOT": str(SOURCE),
                "PYTHONPATH": os.pathsep.join(path),
                "PYTHONUNBUFFERED": "1",
                "TZ": "UTC",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for us
        )
        threading.Thread(target=self._show_output, daemon=True).start()

    @property
    def usable(self) -> bool:
        """Whether the process runs, and runs the code as it is now."""
        return self._process.poll() is None and self.code == snapshot()

    def invoke(self, event: dict[str, Any]) -> Any:
        """Return what the handler returns.

        Raises:
            FunctionError: it raised, didn't load, ended the process or took too long.
        """
        self._api.deadline = time.monotonic() + INIT_LIMIT
        self._api.events.put(json.dumps(event).encode())
        while True:
            try:
                succeeded, body = self._api.outcomes.get(timeout=0.05)
            except queue.Empty:
                if self._process.poll() is not None:
                    raise FunctionError("The function's process has ended.") from None
                if time.monotonic() > self._api.deadline:
                    self.stop()
                    raise FunctionError(f"The function took over {TIMEOUT:g} s.") from None
            else:
                if not succeeded:
                    raise FunctionError("The function failed, see above.")
                return json.loads(body)

    def _show_output(self) -> None:
        """Copy what the process writes to the terminal."""
        # The runtime client ends the lines of a traceback by carriage returns, so that they make
        # one log event. Written at once, they stay together here too.
        for line in self._process.stdout or ():
            text = line.decode("utf-8", "replace")
            sys.stderr.write(text.replace("\r\n", "\n").replace("\r", "\n"))

    def stop(self) -> None:
        """End the process and what it started, without a warning, as Lambda does."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._api.close()


def snapshot() -> dict[Path, tuple[int, int]]:
    """Return what tells changed source files from the same: their times and sizes."""
    stats = {path: path.stat() for path in SOURCE.rglob("*.py")}
    return {path: (stat.st_mtime_ns, stat.st_size) for path, stat in stats.items()}


class RuntimeApi(ThreadingHTTPServer):
    """Hands events to one process, and takes what comes of them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), RuntimeRequest)
        self.deadline = 0.0
        self.events: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.outcomes: queue.SimpleQueue[tuple[bool, bytes]] = queue.SimpleQueue()
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Stop serving."""
        self.events.put(None)  # for a request that waits for an event
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Leave out that the process has ended in the middle of a request."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class RuntimeRequest(BaseHTTPRequestHandler):
    """One call by the runtime client."""

    server: RuntimeApi
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Wait for an event and hand it over."""
        event = self.server.events.get()
        if event is None:
            self.close_connection = True
            return
        self.server.deadline = time.monotonic() + TIMEOUT
        self.send_response(200)
        self.send_header("lambda-runtime-aws-request-id", str(uuid.uuid4()))
        self.send_header("lambda-runtime-deadline-ms", str(int((time.time() + TIMEOUT) * 1000)))
        arn = "arn:aws:lambda:{{ cookiecutter.aws_region }}:123456789012:function:local"
        self.send_header("lambda-runtime-invoked-function-arn", arn)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(event)))
        self.end_headers()
        self.wfile.write(event)

    def do_POST(self) -> None:
        """Take a result or an error."""
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.outcomes.put((self.path.endswith("/response"), body))
        self.send_response(202)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""
