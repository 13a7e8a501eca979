"""The process of tests/support/crowd.py, from which execution environments are forked.

    python crowd_process.py CONTROL READY GATE HANDLER

The first three are numbers of files; CONTROL is a socket. The process imports the handler, which
connects, closes the connection, and forgets the project's own modules, but keeps whatever these
have imported. It says so, and then forks an environment for each request. That writes a byte to
READY, waits until GATE is closed, and runs awslambdaric, which imports the handler and connects.
"""

import gc
import importlib
import json
import os
import random
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

from clone import clone  # type: ignore[import-not-found]


def import_all(handler: str) -> None:
    """Import what the handler imports, and whatever else a connection leaves for the process."""
    importlib.import_module(handler.rpartition(".")[0])
    from pymongo import MongoClient

    clients = [it for it in gc.get_objects() if isinstance(it, MongoClient)]
    if not clients or not all(it.nodes for it in clients):
        raise RuntimeError("no connection: what one imports would be imported in each environment")
    for client in clients:
        client.close()
    package = handler.partition(".")[0]
    for name in [it for it in sys.modules if it == package or it.startswith(f"{package}.")]:
        del sys.modules[name]
    deadline = time.monotonic() + 5
    while threading.active_count() > 1:  # those that are told to end may take a moment
        if time.monotonic() > deadline:
            raise RuntimeError(f"a fork would lack these: {threading.enumerate()}")
        time.sleep(0.01)


def fork_all(control: socket.socket, ready: int, gate: int, handler: str) -> None:
    """Fork an environment for each request; return in none, nor here."""
    with control, control.makefile("rw", encoding="utf-8") as stream:
        print("imported", file=stream, flush=True)
        for line in stream:
            environment = clone()  # not fork(): its parent is who freezes it
            if not environment:
                control.detach()
                run(json.loads(line), ready, gate, handler)
            print(environment, file=stream, flush=True)


def run(request: dict[str, Any], ready: int, gate: int, handler: str) -> None:
    """Turn this fork into an environment of its own. It ends as awslambdaric does."""
    os.setsid()
    random.seed()
    log = os.open(request["log"], os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)
    os.environ["AWS_LAMBDA_RUNTIME_API"] = request["api"]
    # Now and not before: it takes the address when it is imported.
    from awslambdaric.__main__ import main  # type: ignore[import-untyped]

    os.write(ready, b".")
    os.close(ready)
    os.read(gate, 1)
    main(["", handler])


if __name__ == "__main__":
    control, ready, gate = (int(it) for it in sys.argv[1:4])
    sys.path[0] = str(Path.cwd())
    import_all(sys.argv[4])
    gc.freeze()  # the forks share its pages, and don't write to them to collect garbage
    fork_all(socket.socket(fileno=control), ready, gate, sys.argv[4])
