"""The process of tests/support/snapshots.py: awslambdaric, of which copies are made after INIT.

    python snapshot_process.py CONTROL HANDLER

CONTROL is a socket. When the last hook has run, the process says there to whom it is connected, and
then makes a copy for each request. A copy goes on where the process has stopped, with GET
/restore/next.
"""

import http.client  # noqa: F401 (the runtime has done so when it asks for the restore)
import json
import os
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from awslambdaric import bootstrap, lambda_runtime_client  # type: ignore[import-untyped]
from awslambdaric.lambda_runtime_client import (  # type: ignore[import-untyped]
    LambdaRuntimeClient,
)
from clone import clone  # type: ignore[import-not-found]
from snapshot_restore_py import register_before_snapshot  # type: ignore[import-untyped]

FAMILIES = {"tcp": 4, "tcp6": 16}  # bytes of an address


def take(control: socket.socket, client: LambdaRuntimeClient) -> None:
    """Be the snapshot: return in each copy, and never here."""
    deadline = time.monotonic() + 5
    while threading.active_count() > 1:  # those that are told to end may take a moment
        if time.monotonic() > deadline:
            raise RuntimeError(f"a copy would lack these: {threading.enumerate()}")
        time.sleep(0.01)
    pid = os.getpid()
    with control, control.makefile("rw", encoding="utf-8") as stream:
        print(json.dumps(open_sockets(control.fileno())), file=stream, flush=True)
        for line in stream:
            copy = clone()  # fork() would have it renew what it can
            if not copy:
                restore(json.loads(line), pid, client)
                return
            print(copy, file=stream, flush=True)
    os._exit(0)


def restore(request: dict[str, Any], pid: int, client: LambdaRuntimeClient) -> None:
    """Turn this copy into an environment of its own."""
    if request["processes"]:
        Path(request["processes"]).write_text(str(os.getpid()), "utf-8")
    os.setsid()
    log = os.open(request["log"], os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)
    # A restored process has the ID that it had.
    os.getpid = lambda: pid
    if request["later"]:
        now = time.time
        time.time = lambda: now() + request["later"]
    # The runtime's Python asks there; its extension module keeps the address that it has had.
    client.lambda_runtime_address = request["api"]
    name = f"{lambda_runtime_client._user_agent()} {request['api']}"
    lambda_runtime_client.runtime_client.initialize_client(name)


def open_sockets(but: int) -> list[str]:
    """Return the other ends of this process's connections."""
    ends = {}
    for family, size in FAMILIES.items():
        for line in Path(f"/proc/self/net/{family}").read_text("ascii").splitlines()[1:]:
            _, _, remote, _, _, _, _, _, _, inode, *_ = line.split()
            host, port = remote.split(":")
            ends[f"socket:[{inode}]"] = f"{bytes.fromhex(host)[:size].hex()}:{int(port, 16)}"
    links = {}
    for path in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the one by which the folder is read
            links[int(path.name)] = str(path.readlink())
    return [ends.get(it, "") for fd, it in links.items() if it.startswith("socket:") and fd != but]


if __name__ == "__main__":
    sys.path[0] = str(Path.cwd())
    client = LambdaRuntimeClient(os.environ["AWS_LAMBDA_RUNTIME_API"])
    control = socket.socket(fileno=int(sys.argv[1]))
    register_before_snapshot(take, control, client)  # the first to be registered runs last
    bootstrap.run(sys.argv[2], client)
