"""Child processes on loopback: a free port, a wait until it listens, a sure end."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

LOOPBACK = "127.0.0.1"


class StartError(RuntimeError):
    """A server didn't come up; the message ends with what it wrote."""


def free_port() -> int:
    """A TCP port that was free a moment ago; another process may still take it first."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    """Poll `condition` every 10 ms; TimeoutError names `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"no {what} in {seconds:g} s")
        time.sleep(0.01)


def wait_for_port(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Return when the process listens; StartError with the end of its log if it ends instead."""

    def ready() -> bool:
        if process.poll() is not None:
            tail = log.read_text(errors="replace")[-2000:] if log.exists() else ""
            raise StartError(f"{process.args!r} ended with {process.returncode}\n{tail}")
        return listens(port)

    try:
        wait_until(ready, f"listener on port {port}")
    except BaseException:
        end(process, seconds=0)
        raise


def end(process: subprocess.Popen[bytes], seconds: float = 10.0) -> None:
    """Terminate, wait up to `seconds`, kill; with 0 kill at once."""
    if process.poll() is not None:
        return
    if seconds:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            return
    process.kill()
    process.wait()
