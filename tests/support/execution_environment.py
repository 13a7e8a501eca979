"""A Lambda execution environment on this machine: one awslambdaric process and its Runtime API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True)
class Invocation:
    """What one invocation came to. `error` has errorType and errorMessage, as Lambda reports."""

    response: Any  # the decoded JSON; None beside an error
    error: dict[str, Any] | None
    seconds: float  # from the event handed over to the response received
    logs: str  # what the process wrote meanwhile, stdout and stderr

    @property
    def records(self) -> list[dict[str, Any]]:
        """The JSON log lines among `logs`."""
        raise NotImplementedError


class InitError(Exception):
    """The runtime reported an error from INIT (or died in it): `error`, `logs`."""


class EnvironmentLostError(Exception):
    """Invoked after the process has ended (time-out, exit); Lambda would start a new one."""


class ExecutionEnvironment:
    """One real `awslambdaric` process driven over the Lambda Runtime API.

    >>> with ExecutionEnvironment(code, "app.handler", {"MONGODB_URI": uri}) as environment:
    ...     assert environment.invoke({}).response == …

    The process has the variables Lambda sets, `environment` over them (so credentials can be
    given as AWS_ACCESS_KEY_ID, …), PATH and the locale, and nothing else of this process.
    The code directory is its working directory and first on its module path.
    Memory is announced, not enforced; the CPU share of a memory size isn't imitated.
    """

    pid: int
    init_seconds: float  # from the start of the process to the first /next
    init_logs: str
    alive: bool

    def __init__(
        self,
        code_dir: Path,
        handler: str,
        environment: Mapping[str, str] | None = None,
        *,
        memory: int = 512,
        timeout: float = 10.0,
        function_name: str = "function",
        python: str | None = None,  # an interpreter that has awslambdaric; sys.executable
    ) -> None: ...

    def __enter__(self) -> Self:
        """start()"""
        raise NotImplementedError

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def start(self) -> None:
        """Run INIT; returns at the first /next, raises InitError if it fails (limit: 10 s)."""
        raise NotImplementedError

    def invoke(self, event: Any) -> Invocation:
        """Run the handler once; thaws a frozen environment first, as Lambda does.

        Past `timeout` the process is killed and the error is Sandbox.Timedout; if the process
        ends by itself it is Runtime.ExitError. Afterwards the environment is lost.
        """
        raise NotImplementedError

    def freeze(self) -> None:
        """SIGSTOP, once the runtime has come back for the next event."""
        raise NotImplementedError

    def thaw(self) -> None:
        """SIGCONT"""
        raise NotImplementedError

    def stop(self) -> None:
        """End the process (SIGKILL: Lambda gives a function without extensions no signal)."""
        raise NotImplementedError
