"""Copies of this process, memory and all, past what C's and Python's own fork() tell the copy."""

import ctypes
import platform

_CLONE = {"x86_64": 56, "aarch64": 220}[platform.machine()]  # the number of the system call
_CLONE_PARENT, _SIGCHLD = 0x8000, 17
_LIBC = ctypes.PyDLL(None)


def clone() -> int:
    """Return the copy's process ID, and 0 in the copy. Its parent is this process's own."""
    copy: int = _LIBC.syscall(_CLONE, _CLONE_PARENT | _SIGCHLD, 0, 0, 0, 0)
    return copy
