"""A Lambda execution environment on this machine: one awslambdaric process and its Runtime API."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from tests.support.cpu_share import cpu_share
from tests.support.servers import LOOPBACK

INIT_LIMIT = 10.0  # seconds, of Lambda's on-demand functions, and of a restore from a snapshot
_API = "/2018-06-01/runtime"
_ACCOUNT = "123456789012"


@dataclass(frozen=True)
class Invocation:
    """What one invocation came to. `error` has errorType and errorMessage, as Lambda reports."""

    response: Any  # the decoded JSON; None beside an error
    error: dict[str, Any] | None
    seconds: float  # from the event handed over to the response received
    logs: str  # what the process has written since the invocation before, stdout and stderr
    request_id: str

    @property
    def records(self) -> list[dict[str, Any]]:
        """The JSON log lines among `logs`."""
        return json_records(self.logs)


class InitError(Exception):
    """INIT or a restore failed: the runtime reported `error`, or died, or took too long.

    `logs` as usual.
    """

    def __init__(self, error: dict[str, Any], logs: str) -> None:
        super().__init__(f"{error.get('errorType')}: {error.get('errorMessage')}\n{logs}")
        self.error = error
        self.logs = logs


class EnvironmentLostError(Exception):
    """The process has ended (time-out, exit, stop); `start()` makes a new one, as Lambda would."""


class Process(Protocol):
    """What `subprocess.Popen` is here, and a copy of a snapshot is too."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self) -> int: ...


class Copies(Protocol):
    """A snapshot, tests/support/snapshots.py."""

    def copy(self, api: RuntimeApi, log: int, processes: Path | None, later: float) -> Process: ...


class ExecutionEnvironment:
    """One real `awslambdaric` process driven over the Lambda Runtime API.

    >>> with ExecutionEnvironment(code, "app.handler", {"MONGODB_URI": uri}) as environment:
    ...     assert environment.invoke({}).response == …

    The process gets the variables Lambda sets, `environment` over them, PATH, and nothing else
    of this process. The attribute `environment` has all of them afterwards, so
    `environment["AWS_ACCESS_KEY_ID"]` and so on are the function's credentials.
    The code directory is its working directory and first on its module path. Bytecode isn't
    written, as Lambda's file system is read-only. `memory` (MB) is announced and not enforced; with
    `cpu_limited` the process has the share of CPU that Lambda gives with it, which raises
    NoCpuShareError where cgroups don't allow that. One invocation at a time.

    With a `snapshot` the process isn't started but restored from it: what the snapshot was told of
    code, handler and variables holds then. `later` is how many seconds its wall clock (`time.time`)
    is ahead of this one's.
    """

    init_seconds: float  # from the start of the process, or its restore, to its first call of /next
    init_logs: str

    def __init__(
        self,
        code_dir: Path,
        handler: str,
        environment: Mapping[str, str] | None = None,
        *,
        memory: int = 512,
        cpu_limited: bool = False,
        timeout: float = 10.0,
        function_name: str = "function",
        snapshot: Copies | None = None,
        later: float = 0.0,
    ) -> None:
        self.timeout = timeout
        self._snapshot = snapshot
        self._later = later
        self._code_dir = code_dir
        self._memory = memory
        self._cpu_limited = cpu_limited
        self._command = [sys.executable, "-B", "-m", "awslambdaric", handler]
        self.environment = lambda_variables(code_dir, handler, memory, function_name)
        self.environment |= environment or {}
        region = self.environment["AWS_REGION"]
        self._arn = f"arn:aws:lambda:{region}:{_ACCOUNT}:function:{function_name}"
        self._api: RuntimeApi | None = None
        self._process: Process | None = None
        self._frozen = False
        self._resources = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._running()[0].pid

    def start(self) -> None:
        """Run INIT; returns at the first /next. InitError if it fails or takes over 10 s."""
        self.stop()
        processes = None
        if self._cpu_limited:
            processes = self._resources.enter_context(cpu_share(self._memory))
        self._api = RuntimeApi()
        self._resources.callback(self._api.close)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        self._resources.callback(self._log.close)
        self._logged = 0
        self.environment["AWS_LAMBDA_RUNTIME_API"] = self._api.address
        began = time.perf_counter()
        if self._snapshot:
            log = self._log.fileno()
            self._process = self._snapshot.copy(self._api, log, processes, self._later)
        else:
            self._process = self._launch(processes)
        self._api.watch(self._process)
        report = self._api.next_report(INIT_LIMIT)
        self.init_seconds = time.perf_counter() - began
        self.init_logs = self._new_logs()
        if report is None:
            error = {
                "errorType": "Sandbox.Timedout",
                "errorMessage": f"INIT took more than {INIT_LIMIT:g} seconds",
            }
        elif report.kind == "ready":
            return
        else:
            error = report.error()
        self.stop()
        raise InitError(error, self.init_logs)

    def _launch(self, processes: Path | None) -> subprocess.Popen[bytes]:
        command = self._command
        if processes:
            # The shell limits itself before it becomes the process, and so all of INIT.
            command = ["/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"', str(processes), *command]
        return subprocess.Popen(
            command,
            cwd=self._code_dir,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,  # so that signals reach what the function may start, too
        )

    def invoke(self, event: Any) -> Invocation:
        """Run the handler once; thaws a frozen environment first, as Lambda does.

        Past `timeout` seconds the process is killed and the error is Sandbox.Timedout; if it
        ends by itself the error is Runtime.ExitError. In both cases the environment is lost.
        """
        _, api = self._running()
        self.thaw()
        request_id = str(uuid.uuid4())
        began = time.perf_counter()
        deadline = time.time() + self._later + self.timeout
        api.hand_over(request_id, json.dumps(event).encode(), deadline, self._arn)
        report = api.next_report(self.timeout)
        while report is not None and report.kind == "ready":
            report = api.next_report(self.timeout - (time.perf_counter() - began))
        seconds = time.perf_counter() - began
        if report is None:
            self._end()
            message = f"Error: Task timed out after {self.timeout:.2f} seconds"
            error = {"errorType": "Sandbox.Timedout", "errorMessage": message}
        elif report.kind == "response":
            body = json.loads(report.body) if report.body else None
            return Invocation(body, None, seconds, self._new_logs(), request_id)
        else:
            error = report.error()
        if report is None or report.kind == "exit":
            error["errorMessage"] = f"RequestId: {request_id} {error['errorMessage']}"
        return Invocation(None, error, seconds, self._new_logs(), request_id)

    def freeze(self) -> None:
        """SIGSTOP, once the runtime has come back for the next event, as Lambda does."""
        process, api = self._running()
        if self._frozen:
            return
        if not api.idle.wait(self.timeout):
            raise TimeoutError("the runtime hasn't come back for the next event")
        self._signal(signal.SIGSTOP)
        try:
            os.waitid(os.P_PID, process.pid, os.WSTOPPED)  # it may run on for a moment
        except ChildProcessError:
            raise EnvironmentLostError("the process has ended instead of stopping") from None
        self._frozen = True

    def thaw(self) -> None:
        """SIGCONT, if frozen."""
        if self._frozen:
            self._signal(signal.SIGCONT)
            self._frozen = False

    def stop(self) -> None:
        """End the process by SIGKILL: without extensions Lambda gives a function no signal."""
        self._end()
        self._resources.close()

    def _running(self) -> tuple[Process, RuntimeApi]:
        if self._process is None or self._api is None or not self.alive:
            raise EnvironmentLostError("the process has ended; start() makes a new environment")
        return self._process, self._api

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _end(self) -> None:
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait()
            self._process = None
            self._frozen = False

    def _new_logs(self) -> str:
        """What has been written since the last call; a file, so that no reader lags behind."""
        size = os.fstat(self._log.fileno()).st_size
        written = os.pread(self._log.fileno(), size - self._logged, self._logged)
        self._logged = size
        return written.decode(errors="replace")


def json_records(logs: str) -> list[dict[str, Any]]:
    """The lines of `logs` that are JSON objects."""
    records = []
    for line in logs.splitlines():
        with contextlib.suppress(ValueError):
            record = json.loads(line)
            if isinstance(record, dict):
                records.append(record)
    return records


def lambda_variables(
    code_dir: Path, handler: str, memory: int, function_name: str
) -> dict[str, str]:
    """The variables Lambda defines (its documentation's "Defined runtime environment
    variables"), with credentials nobody knows. HOME, which Lambda leaves out, points nowhere:
    otherwise the SDK would find the AWS configuration of whoever runs the tests."""
    return {
        "_HANDLER": handler,
        "AWS_ACCESS_KEY_ID": f"ASIA{secrets.token_hex(8).upper()}",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info[0]}.{sys.version_info[1]}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory),
        "AWS_LAMBDA_FUNCTION_NAME": function_name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function_name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": f"[$LATEST]{secrets.token_hex(16)}",
        "AWS_REGION": "us-east-1",
        "AWS_SECRET_ACCESS_KEY": secrets.token_urlsafe(30),
        "AWS_SESSION_TOKEN": secrets.token_urlsafe(200),
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "HOME": "/nonexistent",
        "LAMBDA_TASK_ROOT": str(code_dir),
        "LANG": "en_US.UTF-8",
        "PATH": os.environ["PATH"],
        "TZ": ":UTC",
    }


@dataclass(frozen=True)
class _Report:
    """What the process has told the Runtime API, or its end."""

    kind: Literal["ready", "response", "error", "exit"]
    body: bytes = b""

    def error(self) -> dict[str, Any]:
        error: dict[str, Any] = json.loads(self.body)
        return error


class RuntimeApi(ThreadingHTTPServer):
    """The Runtime API for one process; `idle` is set while it waits for an event.

    Copies of a process know its address only. Their requests end in their own address, as the name
    of the client (User-Agent), and are for those of `copies`.
    """

    def __init__(self) -> None:
        super().__init__((LOOPBACK, 0), _RuntimeApiHandler)
        self.address = f"{LOOPBACK}:{self.server_port}"
        self.copies: dict[str, RuntimeApi] = {}
        self.idle = threading.Event()
        self.events: queue.SimpleQueue[tuple[dict[str, str], bytes] | None] = queue.SimpleQueue()
        self.reports: queue.SimpleQueue[_Report] = queue.SimpleQueue()
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def watch(self, process: Process) -> None:
        """Report the end of the process."""

        def wait() -> None:
            code = process.wait()
            how = f"signal: {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
            error = {
                "errorType": "Runtime.ExitError",
                "errorMessage": f"Error: Runtime exited with error: {how}",
            }
            self.reports.put(_Report("exit", json.dumps(error).encode()))

        threading.Thread(target=wait, daemon=True).start()

    def next_report(self, seconds: float) -> _Report | None:
        """None if there is none in time."""
        try:
            return self.reports.get(timeout=max(seconds, 0))
        except queue.Empty:
            return None

    def hand_over(self, request_id: str, event: bytes, deadline: float, arn: str) -> None:
        """Give the process an event, now or when it asks; `deadline` is by its wall clock."""
        trace = f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": arn,
            "Lambda-Runtime-Trace-Id": f"Root={trace};Parent={secrets.token_hex(8)};Sampled=0",
        }
        self.idle.clear()
        self.events.put((headers, event))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections break when processes are killed; anything else is a fault of ours."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def close(self) -> None:
        self.events.put(None)  # for the thread that waits with a process that is gone
        self.shutdown()
        self.server_close()


class _RuntimeApiHandler(BaseHTTPRequestHandler):
    server: RuntimeApi
    protocol_version = "HTTP/1.1"  # keeps the connection
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body in one segment

    def do_GET(self) -> None:
        if self.path == f"{_API}/restore/next":  # asked by a process that was restored just now
            self._answer(200)
            return
        if self.path != f"{_API}/invocation/next":
            self._answer(404)
            return
        api = self._api()
        api.idle.set()
        api.reports.put(_Report("ready"))
        event = api.events.get()
        if event is None:
            self.close_connection = True
        else:
            self._answer(200, *event)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        known = self.path.startswith((f"{_API}/i", f"{_API}/restore/error"))
        if known:
            kind: Literal["response", "error"] = (
                "response" if self.path.endswith("/response") else "error"
            )
            self._api().reports.put(_Report(kind, body))
        self._answer(202 if known else 404)

    def _api(self) -> RuntimeApi:
        client = self.headers.get("User-Agent", "")
        return self.server.copies.get(client.rpartition(" ")[2], self.server)

    def _answer(
        self, status: int, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> None:
        self.send_response_only(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        """Not on the test's output."""
