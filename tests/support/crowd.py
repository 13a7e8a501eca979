"""Many execution environments on this machine, which start at once.

Each is a process with its own awslambdaric, Runtime API and `Connection`. They are forked from one
that has imported everything and is connected to nothing, so they share most of their memory: 200
take some 3 GB less than if each had started by itself. Their INIT lacks the imports, and so is a
storm upon the database rather than on this machine's CPU.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.execution_environment import (
    ExecutionEnvironment,
    InitError,
    RuntimeApi,
    lambda_variables,
)
from tests.support.snapshots import Copy

_PROGRAM = Path(__file__).with_name("crowd_process.py")
_SECONDS = 60.0  # for the imports, and for a fork


class Crowd:
    """Environments of one function.

    >>> with Crowd(code, "orders.app.handler", variables, 200) as crowd:
    ...     crowd.release()
    ...     for environment in crowd.environments: …

    They are forked when the crowd is entered, and begin INIT when it is released. `timeout` is the
    function's.
    """

    environments: list[ExecutionEnvironment]

    def __init__(
        self,
        code_dir: Path,
        handler: str,
        variables: Mapping[str, str],
        number: int,
        *,
        timeout: float = 10.0,
        function_name: str = "function",
    ) -> None:
        self._code_dir = code_dir
        self._handler = handler
        self._variables = {
            **lambda_variables(code_dir, handler, 512, function_name),
            **variables,
        }
        self._lock = threading.Lock()
        self._released = threading.Event()
        self._resources = contextlib.ExitStack()
        self.environments = [
            ExecutionEnvironment(
                code_dir,
                handler,
                self._variables,
                timeout=timeout,
                function_name=function_name,
                snapshot=self,
            )
            for _ in range(number)
        ]

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as resources:
            ours, theirs = socket.socketpair()
            resources.enter_context(ours)
            ready, self._ready = os.pipe()
            gate, self._gate = os.pipe()
            log = resources.enter_context(tempfile.TemporaryFile())
            inherited = [theirs.fileno(), self._ready, gate]
            process = subprocess.Popen(
                [
                    *(sys.executable, "-B", str(_PROGRAM)),
                    *map(str, inherited),
                    self._handler,
                ],
                cwd=self._code_dir,
                env=self._variables | {"AWS_LAMBDA_RUNTIME_API": ""},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=inherited,
                start_new_session=True,
            )
            resources.callback(process.wait)
            resources.callback(process.kill)
            resources.callback(os.close, ready)
            theirs.close()
            for one in inherited[1:]:
                os.close(one)
            resources.callback(self.release)
            ours.settimeout(_SECONDS)
            self._control = ours.makefile("rw", encoding="utf-8")
            resources.callback(self._control.close)
            if self._control.readline() != "imported\n":
                logs = os.pread(log.fileno(), 1 << 24, 0).decode(errors="replace")
                raise InitError({"errorType": "Runtime.ExitError"}, logs)
            self._pool = ThreadPoolExecutor(len(self.environments))
            resources.callback(self._pool.shutdown)
            resources.callback(self._stop)
            self.starting = [self._pool.submit(it.start) for it in self.environments]
            waiting = 0
            while waiting < len(self.environments):
                if not select.select([ready], [], [], _SECONDS)[0]:
                    raise TimeoutError(f"only {waiting} environments in {_SECONDS:g} s")
                waiting += len(os.read(ready, 1 << 16))
            self._resources = resources.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._resources.close()

    def release(self) -> None:
        """Have all begin at once."""
        if not self._released.is_set():
            os.close(self._gate)
            self._released.set()

    def _stop(self) -> None:
        self.release()
        list(self._pool.map(ExecutionEnvironment.stop, self.environments))

    def copy(self, api: RuntimeApi, log: int, processes: Path | None, later: float) -> Copy:
        """Fork an environment; returns when it begins. Called by the environments' `start`."""
        if processes or later:
            raise ValueError("a crowd's environments have all of the CPU, and this machine's clock")
        request = {"api": api.address, "log": f"/proc/{os.getpid()}/fd/{log}"}
        with self._lock:
            print(json.dumps(request), file=self._control, flush=True)
            forked = Copy(int(self._control.readline()))
        self._released.wait()
        return forked
