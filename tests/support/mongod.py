"""A real mongod for tests: started on a free loopback port, gone when the test is over."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self


@dataclass(frozen=True)
class Tls:
    """PEM files: a certificate with its key, and the authority that signed it."""

    certificate: Path
    authority: Path


@dataclass(frozen=True)
class ClientConnection:
    """One connection as the server sees it (`$currentOp` with `idleConnections`).

    `user` is None for the driver's monitors: they never authenticate, pooled connections do.
    So with `auth` a monitor is `user is None`; without `auth` nothing tells the two apart.
    """

    id: int
    app_name: str | None
    user: str | None
    driver: str | None


class Mongod:
    """One mongod process, a standalone or the only member of a replica set.

    >>> with Mongod(auth=True) as mongod:
    ...     MongoClient(mongod.uri)
    """

    host: str  # "127.0.0.1"
    port: int
    pid: int
    uri: str  # with the root user's credentials if `auth`, `tlsCAFile` if `tls`

    def __init__(
        self, *, auth: bool = False, tls: Tls | None = None, replica_set: str | None = None
    ) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def create_user(self, username: str, password: str, database: str) -> None:
        """Create or replace a user (in `admin`) with readWrite on one database."""
        raise NotImplementedError

    def uri_for(self, username: str, password: str) -> str:
        """The URI of another user (authSource=admin)."""
        raise NotImplementedError

    def stop(self) -> None:
        """Shut down cleanly (SIGTERM); the data stays."""
        raise NotImplementedError

    def kill(self) -> None:
        """End at once (SIGKILL), as a lost host does; the data stays."""
        raise NotImplementedError

    def restart(self) -> None:
        """Stop if running, start again on the same port and data."""
        raise NotImplementedError

    def connections_created(self) -> int:
        """Connections ever accepted (`serverStatus.connections.totalCreated`).

        Asking doesn't open one, so a difference of two answers is what others have opened.
        """
        raise NotImplementedError

    def clients(self, app_name: str | None = None) -> list[ClientConnection]:
        """Open client connections, without our own; only those of `app_name` if given."""
        raise NotImplementedError


class ReplicaSet:
    """Three mongods that elect a primary: `uri`, `primary`, `members`, `step_down()`."""
