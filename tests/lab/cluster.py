"""An Atlas cluster whose network and nodes fail as told, and what its clients need."""

from __future__ import annotations

import contextlib
import json
import uuid
from functools import cached_property
from types import TracebackType
from typing import Any, Literal, Self

from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import AutoReconnect, OperationFailure

from tests.lab.fault_proxy import FaultProxy
from tests.lab.leaks import Canaries
from tests.lab.secrets_manager import SecretsManager
from tests.support import sharded
from tests.support.atlas import Atlas
from tests.support.mongod import Mongod
from tests.support.servers import LOOPBACK, wait_until

DATABASE = "app"
Auth = Literal["iam", "password"]
Variables = dict[str, str]


class Cluster:
    """The Atlas stand-in with a fault proxy in front of each node, and its Secrets Manager.

    >>> with Cluster(Canaries()) as cluster:
    ...     variables = cluster.environment | cluster.sign_in("iam")
    ...     cluster.proxy(cluster.primary).reset()
    """

    def __init__(self, canaries: Canaries, **atlas: Any) -> None:
        self.proxies: list[FaultProxy] = []
        self.atlas = Atlas(publish=self._proxied, **atlas)
        self.secrets = SecretsManager()
        self._canaries = canaries
        self._resources = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as resources:
            self._resources = resources
            resources.enter_context(self.atlas)
            resources.enter_context(self.secrets)
            self._resources = resources.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._resources.close()

    def _proxied(self, port: int) -> int:
        proxy = self._resources.enter_context(FaultProxy(port))
        self.proxies.append(proxy)
        return proxy.port

    @property
    def environment(self) -> Variables:
        """What puts a process into this cluster's network."""
        return self.atlas.environment | self.secrets.environment

    @property
    def hosts(self) -> tuple[str, ...]:
        """What no answer of a function may hold."""
        zone = self.atlas.host.partition(".")[2]
        return (zone, "127.0.0.1", *(str(proxy.port) for proxy in self.proxies))

    def sign_in(self, auth: Auth, database: str = DATABASE) -> Variables:
        """Make a database user and return the variables of a function that has it."""
        if auth == "iam":
            key, secret, token = uuid.uuid4().hex, *self._new("secret key", "session token")
            role = f"arn:aws:iam::123456789012:role/{key}"
            self.atlas.add_role(role, key, secret, token, database)
            return {
                "AWS_ACCESS_KEY_ID": key,
                "AWS_SECRET_ACCESS_KEY": secret,
                "AWS_SESSION_TOKEN": token,
            }
        username, [password] = f"user-{uuid.uuid4().hex[:8]}", self._new("password")
        self.atlas.add_user(username, password, database)
        arn = self.secrets.put({"username": username, "password": password})
        return {"MONGODB_SECRET_ARN": arn}

    def username(self, variables: Variables) -> str:
        """The user that `sign_in("password")` has made."""
        username: str = json.loads(self.secrets.values[variables["MONGODB_SECRET_ARN"]])["username"]
        return username

    def _new(self, *what: str) -> list[str]:
        return [self._canaries.new(it) for it in what]

    @property
    def members(self) -> list[Mongod]:
        return self.atlas.replica_set.members

    @property
    def primary(self) -> Mongod:
        return self.atlas.replica_set.primary

    def proxy(self, member: Mongod) -> FaultProxy:
        """The one in front of a member."""
        return self.proxies[self.members.index(member)]

    @property
    def database(self) -> Database[dict[str, Any]]:
        """The functions' database, on the primary, past the proxies."""
        return self.primary.admin[DATABASE]

    def create_index(self, collection: str, key: str) -> None:
        """Create an index of the functions' database."""
        self.database[collection].create_index(key)

    def step_down(self) -> None:
        """Have the primary yield to another member; returns when there is a new one."""
        old = self.primary
        old.admin.admin.command("replSetStepDown", 10, secondaryCatchUpPeriodSecs=5)
        wait_until(lambda: self.primary is not old, "new primary")
        old.admin.admin.command("replSetFreeze", 0)  # it may be elected again

    def cut_off(self, member: Mongod) -> None:
        """Partition the network: neither clients nor the other members reach this one."""
        self.proxy(member).partition()
        member.pause()

    def heal(self) -> None:
        """Every network and node as new; returns when the replica set is whole."""
        self.atlas.outage = None
        self.atlas.present_certificate()
        for proxy in self.proxies:
            proxy.delay = 0.0
            proxy.release()
            proxy.heal()
        for member in self.members:
            member.resume()
            if not member.running:
                member.launch()
        wait_until(self._whole, "whole replica set", 90)

    def _whole(self) -> bool:
        return self.primary.leads_all()


class ShardedCluster(Cluster):
    """A sharded cluster with a fault proxy in front of each of two routers, its `members`."""

    def __init__(self, canaries: Canaries) -> None:
        super().__init__(canaries, nodes=2, sharded=(DATABASE, "counters", "inserted"))

    @property
    def shards(self) -> list[Mongod]:
        assert isinstance(self.atlas.replica_set, sharded.ShardedCluster)
        return self.atlas.replica_set.shards

    @cached_property
    def database(self) -> Database[dict[str, Any]]:
        """The functions' database, by the first router, past its proxy."""
        client = MongoClient[dict[str, Any]](
            LOOPBACK,
            self.atlas.port,
            username="root",
            password=self.primary.root_password,
            w="majority",
            tls=True,
            tlsCAFile=self.atlas.environment["SSL_CERT_FILE"],
        )
        return self._resources.enter_context(client)[DATABASE]

    def create_index(self, collection: str, key: str) -> None:
        for shard in self.shards:
            shard.admin[DATABASE][collection].create_index(key)

    def lose(self, *members: Mongod) -> None:
        """Kill routers, with what they were about to answer."""
        for member in members:
            member.kill()
            self.proxy(member).reset()

    def heal(self) -> None:
        """Every network and node as new; returns when every router reads from both shards."""
        for proxy in self.proxies:
            proxy.heal()
        assert isinstance(self.atlas.replica_set, sharded.ShardedCluster)
        self.atlas.replica_set.heal()
        wait_until(self._whole, "whole sharded cluster", 60)

    def _whole(self) -> bool:
        try:
            for member in self.members:
                for name in ("counters", "fixed"):
                    member.admin[DATABASE].command("clusterFind", name, filter={}, limit=1)
        except (AutoReconnect, OperationFailure):
            return False
        return True
