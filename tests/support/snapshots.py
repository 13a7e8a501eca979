"""Lambda SnapStart on this machine: one INIT, and as many execution environments as are restored.

In Lambda a snapshot is of a virtual machine (Firecracker). Here it is a process whose memory is
copied: cloned by the kernel, past all that C's and Python's own `fork` would tell the copy. What
remains other than in Lambda: threads and the clock that counts since the machine's start aren't
restored, and the kernel's and OpenSSL's random numbers are new, as AWS says that Lambda's are.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.execution_environment import (
    InitError,
    RuntimeApi,
    lambda_variables,
)

INIT_LIMIT = 130.0  # seconds, of Lambda's functions with SnapStart
_PROGRAM = Path(__file__).with_name("snapshot_process.py")
# What Lambda sets for other functions. Here the SDK finds AWS_CONTAINER_CREDENTIALS_FULL_URI.
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


class Snapshot:
    """What Lambda keeps of a published version: an environment that has run INIT and its hooks.

    >>> with Snapshot(code, "app.handler", {"MONGODB_URI": uri}) as snapshot:
    ...     with ExecutionEnvironment(code, "app.handler", snapshot=snapshot) as environment:
    ...         assert environment.invoke({}).response == …

    The process gets the variables Lambda sets, without keys, and `environment` over them. Raises
    InitError where Lambda wouldn't publish the version. `sockets` are the addresses to which it was
    connected, or that it listened on, when the snapshot was taken; "" for one without an address.
    """

    init_logs: str
    init_seconds: float
    sockets: list[str]

    def __init__(
        self,
        code_dir: Path,
        handler: str,
        environment: Mapping[str, str] | None = None,
        *,
        memory: int = 512,
        function_name: str = "function",
    ) -> None:
        self._code_dir = code_dir
        self._handler = handler
        variables = lambda_variables(code_dir, handler, memory, function_name)
        self.environment = {key: it for key, it in variables.items() if key not in _KEYS}
        self.environment["AWS_LAMBDA_INITIALIZATION_TYPE"] = "snap-start"
        self.environment |= environment or {}
        self._lock = threading.Lock()
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as resources:
            self._api = api = RuntimeApi()
            resources.callback(api.close)
            self.environment["AWS_LAMBDA_RUNTIME_API"] = api.address
            ours, theirs = socket.socketpair()
            resources.enter_context(ours)
            log = resources.enter_context(tempfile.TemporaryFile())
            began = time.perf_counter()
            with theirs:
                process = subprocess.Popen(
                    [sys.executable, "-B", str(_PROGRAM), str(theirs.fileno()), self._handler],
                    cwd=self._code_dir,
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
            resources.callback(process.wait)
            resources.callback(process.kill)
            api.watch(process)
            ours.settimeout(INIT_LIMIT)
            self._control = ours.makefile("rw", encoding="utf-8")
            resources.callback(self._control.close)
            taken = self._control.readline()
            self.init_seconds = time.perf_counter() - began
            self.init_logs = os.pread(log.fileno(), 1 << 24, 0).decode(errors="replace")
            if not taken:
                report = api.next_report(1)
                raise InitError(report.error() if report else {}, self.init_logs)
            self.sockets = json.loads(taken)
            self.pid = process.pid
            self._resources = resources.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._resources.close()

    def copy(self, api: RuntimeApi, log: int, processes: Path | None, later: float) -> Copy:
        """Make a process that is restored from the snapshot.

        `log` is a file of ours that it writes to, `processes` the file of a cgroup, `later` how
        many seconds its clock is ahead.
        """
        self._api.copies[api.address] = api
        request: dict[str, Any] = {
            "api": api.address,
            "log": f"/proc/{os.getpid()}/fd/{log}",
            "processes": str(processes or ""),
            "later": later,
        }
        with self._lock:
            print(json.dumps(request), file=self._control, flush=True)
            return Copy(int(self._control.readline()))


class Copy:
    """A child of this process that the snapshot's has made, as `subprocess.Popen` shows one."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        with self._lock:
            if self._code is None:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self._code = os.waitstatus_to_exitcode(status)
            return self._code

    def wait(self) -> int:
        while (code := self.poll()) is None:
            try:
                os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
            except ChildProcessError:  # another thread has seen it end
                continue
        return code
