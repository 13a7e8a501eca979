"""Storms: hundreds of execution environments that sign in at once, and what the primary sees of it.

Each environment has a caller, who repeats what gets 503 when the response says so. Between
invocations environments are frozen, as in Lambda, so that their monitors stand still.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.lab.cluster import DATABASE, Auth, Variables
from tests.lab.deployed import Deployed
from tests.lab.secrets_manager import SecretsManager
from tests.support.atlas import Atlas
from tests.support.crowd import Crowd
from tests.support.execution_environment import (
    ExecutionEnvironment,
    InitError,
    json_records,
)
from tests.support.mongod import Mongod
from tests.support.servers import wait_until

FUNCTION = "crowd"
TIMEOUT = 10.0  # seconds, of the template's functions
DOWN = 11.0  # seconds that a restart of all nodes takes here: longer than a function waits
PATIENCE = 90.0  # seconds after which a caller gives up
USERS = ("arn:aws:iam::123456789012:role/storm", "storm")
FIND = {"operation": "find", "number": 0}
# Ids of messages in MongoDB's log.
ACCEPTED, ENDED, AUTHENTICATED = 22943, 22944, (20250, 5286306)


@dataclass(frozen=True)
class Call:
    """What one caller has lived through: the statuses, and seconds from the storm's begin."""

    statuses: list[int | None]
    seconds: float


@dataclass
class Storm:
    """Calls of all, and by the primary's own log: when it let somebody in, and its connections."""

    calls: list[Call]
    logins: list[float]  # seconds from the storm's begin
    connections: list[tuple[float, int]]  # how many were open, whenever that changed
    created: int  # connections that the primary accepted (serverStatus)
    failed_inits: int = 0

    @property
    def answers(self) -> Counter[int | None]:
        return Counter(status for call in self.calls for status in call.statuses)

    def until(self, share: float) -> float:
        """Seconds until that share of the callers has 200."""
        ordered = sorted(call.seconds for call in self.calls)
        return ordered[max(int(share * len(ordered)) - 1, 0)]

    @property
    def share_unavailable(self) -> float:
        """Of all answers."""
        return 1 - self.answers[200] / self.answers.total()

    @property
    def peak_connections(self) -> int:
        return max((number for _, number in self.connections), default=0)

    @property
    def peak_logins(self) -> int:
        """The most within any second."""
        return max((self._within(start) for start in self.logins), default=0)

    def _within(self, start: float) -> int:
        return sum(start <= it < start + 1 for it in self.logins)

    def per_second(self) -> list[int]:
        """Logins in each second of the storm."""
        buckets = Counter(int(it) for it in self.logins if it >= 0)
        return [buckets[second] for second in range(max(buckets, default=0) + 1)]


@dataclass
class Coast:
    """A cluster of three nodes, over SRV, TLS and authentication, and what storms upon it.

    >>> with coast() as it, it.crowd(project, "iam", 200) as crowd:
    ...     it.start(crowd), it.failover(crowd), it.restart(crowd)
    """

    atlas: Atlas
    manager: SecretsManager
    _users: dict[Auth, Variables] = field(default_factory=dict)

    def variables(self, project: Deployed, auth: Auth) -> Variables:
        """Of a function that has signed up; all storms of one kind have the same user."""
        if auth not in self._users:
            self._users[auth] = self._sign_up(auth)
        own = project.variables(self.atlas.host)
        return own | self.atlas.environment | self.manager.environment | self._users[auth]

    def _sign_up(self, auth: Auth) -> Variables:
        if auth == "iam":
            key, secret, token = (secrets.token_hex(16) for _ in range(3))
            self.atlas.add_role(USERS[0], key, secret, token, DATABASE)
            names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
            return dict(zip(names, (key, secret, token), strict=True))
        user = {"username": USERS[1], "password": secrets.token_hex(16)}
        self.atlas.add_user(user["username"], user["password"], DATABASE)
        return {"MONGODB_SECRET_ARN": self.manager.put(user)}

    def crowd(
        self,
        project: Deployed,
        auth: Auth,
        number: int,
        settings: Variables | None = None,
        timeout: float = TIMEOUT,
    ) -> Crowd:
        """Environments of a project of layout=multi; `settings` are the lab's, of its functions."""
        return Crowd(
            project.code,
            project.added("storms.handler"),
            self.variables(project, auth) | (settings or {}),
            number,
            timeout=timeout,
            function_name=FUNCTION,
        )

    def start(self, crowd: Crowd) -> Storm:
        """All start, and are invoked."""
        failed: list[InitError] = []

        def begin(number: int) -> None:
            try:
                crowd.starting[number].result()
            except InitError as error:  # Lambda starts another
                failed.append(error)
                crowd.environments[number].start()

        watched = self._watch()
        calls = self._call_all(crowd, crowd.release, begin)
        return watched(calls, len(failed))

    def failover(self, crowd: Crowd) -> Storm:
        """All are invoked as the primary is lost."""
        old = self.primary
        watched = self._watch()
        calls = self._call_all(crowd, lambda: self._lose(old))
        self._recover([old])
        return watched(calls)

    def restart(self, crowd: Crowd, down: float = DOWN) -> Storm:
        """All are invoked as all nodes are lost, for so many seconds."""
        members = self.members

        def lose_all() -> None:
            for member in members:
                self._lose(member)
            recovery.start()

        watched = self._watch()
        recovery = threading.Timer(down, self._recover, [members])
        calls = self._call_all(crowd, lose_all)
        recovery.join()
        return watched(calls)

    @property
    def members(self) -> list[Mongod]:
        return self.atlas.replica_set.members

    @property
    def primary(self) -> Mongod:
        return self.atlas.replica_set.primary

    def _lose(self, member: Mongod) -> None:
        self.atlas.close_port(self.members.index(member))
        member.kill()

    def _recover(self, lost: list[Mongod]) -> None:
        for member in lost:
            member.launch()
            self.atlas.open_port(self.members.index(member))
        wait_until(lambda: self.primary.leads_all(), "whole replica set", 90)

    def _call_all(
        self,
        crowd: Crowd,
        strike: Callable[[], object],
        begin: Callable[[int], object] = lambda number: number,
    ) -> list[Call]:
        """Have every caller begin when it strikes, and wait for all."""
        struck = threading.Barrier(len(crowd.environments) + 1)
        began = 0.0

        def call(number: int) -> Call:
            environment = crowd.environments[number]
            struck.wait()
            begin(number)
            statuses = list(_invoke(environment, began + PATIENCE))
            return Call(statuses, time.monotonic() - began)

        with ThreadPoolExecutor(len(crowd.environments)) as pool:
            calls = [pool.submit(call, number) for number in range(len(crowd.environments))]
            began = time.monotonic()
            try:
                strike()
                struck.wait()
            except BaseException:
                struck.abort()  # the pool waits for the callers, and they wait here
                raise
            return [it.result() for it in calls]

    def _watch(self) -> Callable[..., Storm]:
        """Return what makes a storm of the calls, once it is over."""
        began = time.time()
        before = {it.port: it.connections_created() for it in self.members}

        def storm(calls: list[Call], failed_inits: int = 0) -> Storm:
            primary = self.primary
            logins, connections = [], []
            for moment, entry in _entries(primary, began):
                if entry["id"] in AUTHENTICATED and _user(entry) in USERS:
                    logins.append(moment)
                elif entry["id"] in (ACCEPTED, ENDED):
                    connections.append((moment, entry["attr"]["connectionCount"]))
            # A server that was started anew counts anew.
            created, earlier = primary.connections_created(), before[primary.port]
            new = created - earlier if created >= earlier else created
            return Storm(calls, logins, connections, new, failed_inits)

        return storm


@contextmanager
def coast() -> Iterator[Coast]:
    """Three nodes and what their clients need."""
    with ExitStack() as stack:
        found = Coast(stack.enter_context(Atlas(nodes=3)), stack.enter_context(SecretsManager()))
        found.primary.admin[DATABASE].fixed.insert_one({"_id": "answer", "value": 42})
        yield found


def _invoke(environment: ExecutionEnvironment, until: float) -> Iterator[int | None]:
    """Invoke until it succeeds. None is an environment that was lost; then another starts."""
    while True:
        invocation = environment.invoke(FIND)
        if invocation.error:
            yield None
            if not environment.alive:
                environment.start()
            continue
        environment.freeze()
        yield (status := invocation.response["statusCode"])
        if status != 503 or time.monotonic() > until:
            return
        headers = {name.lower(): value for name, value in invocation.response["headers"].items()}
        time.sleep(float(headers["retry-after"]))


def _entries(member: Mongod, since: float) -> Iterator[tuple[float, dict[str, Any]]]:
    """Entries of the server's log, and when they were written, in seconds since then."""
    for entry in json_records(member.log.read_text("utf-8", errors="replace")):
        moment = datetime.fromisoformat(entry["t"]["$date"]).timestamp() - since
        if moment >= 0:
            yield moment, entry


def _user(entry: dict[str, Any]) -> str | None:
    """Whom an entry lets in, as MongoDB 6.0 and later ones write it."""
    attributes = entry["attr"]
    name: str | None = attributes.get("principalName", attributes.get("user"))
    return name
