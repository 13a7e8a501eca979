"""The share of CPU that Lambda gives a function, in proportion to its memory, by a cgroup."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.support.servers import wait_until

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
MEMORY_OF_ONE_CPU = 1769  # MB

_MOUNT = Path("/sys/fs/cgroup")
_PERIOD = 20_000  # microseconds
_NO_CGROUPS = "a share of CPU takes root and a cgroup controller for CPU"


class NoCpuShareError(Exception):
    """This machine can't limit CPU; the message says what is missing."""


def share(memory: int) -> float:
    """Return the CPUs of a function with that memory (MB)."""
    return memory / MEMORY_OF_ONE_CPU


@contextlib.contextmanager
def cpu_share(memory: int) -> Iterator[Path]:
    """Make a cgroup for a function with that memory (MB), and remove it when its processes ended.

    Yields the file that takes the id of a process to limit. Raises NoCpuShareError.
    """
    quota = max(1_000, round(share(memory) * _PERIOD))  # the kernel's least is a millisecond
    if (_MOUNT / "cgroup.controllers").exists():
        parent, limits = _MOUNT, {"cpu.max": f"{quota} {_PERIOD}"}
    else:
        parent = _MOUNT / "cpu"
        limits = {"cpu.cfs_period_us": str(_PERIOD), "cpu.cfs_quota_us": str(quota)}
    with contextlib.ExitStack() as resources:
        try:
            group = Path(tempfile.mkdtemp(prefix="lambda-", dir=parent))
            resources.callback(wait_until, lambda: _gone(group), "empty cgroup")
            for name, value in limits.items():
                (group / name).write_text(value)
        except OSError as error:
            raise NoCpuShareError(f"{_NO_CGROUPS}: {error}") from None
        yield group / "cgroup.procs"


def why_not() -> str | None:
    """Say why this machine can't limit CPU, if it can't."""
    try:
        with cpu_share(MEMORY_OF_ONE_CPU) as processes:
            trial = ["/bin/sh", "-c", 'echo $$ > "$0"', str(processes)]
            if subprocess.run(trial, stderr=subprocess.DEVNULL, check=False).returncode:
                return f"{_NO_CGROUPS}: it takes no process"
    except NoCpuShareError as error:
        return str(error)
    return None


def _gone(group: Path) -> bool:
    """Remove an empty cgroup; the kernel takes a moment to clear out who was killed."""
    with contextlib.suppress(OSError):
        group.rmdir()
    return not group.exists()
