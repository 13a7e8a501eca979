"""A real sharded cluster: shards of one node, their config server, and routers.

No package that the tests can have brings `mongos`. But since 6.0 a shard's mongod routes, too, for
its own transactions: it carries out `clusterFind`, `clusterInsert` and the like by the code of
mongos, with the routing table of the config server. So a router here is the mongod of a shard that
has no data, and whoever passes messages on to it translates: `routed` names commands as it knows
them, and `as_mongos` has it introduce itself as mongos does.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import bson
from pymongo.errors import AutoReconnect

from tests.support.mongod import Mongod
from tests.support.servers import wait_until

_ROUTED = ("aggregate", "delete", "find", "getMore", "insert", "update")
# What a member of a replica set says of itself and a mongos doesn't.
_OF_MEMBERS = (
    *("arbiters", "electionId", "hosts", "isImplicitDefaultMajorityWC", "lastWrite", "me"),
    *("passives", "primary", "secondary", "setName", "setVersion", "tags", "hidden"),
)


class Router(Mongod):
    """The mongod of a shard without data. Its users may have it route."""

    def __enter__(self) -> Self:
        super().__enter__()
        everything = [{"resource": {"anyResource": True}, "actions": ["anyAction"]}]
        self.admin.admin.command("createRole", "router", privileges=everything, roles=[])
        self.admin.admin.command("grantRolesToUser", "root", roles=["router"])
        return self

    def create_user(self, username: str, password: str, database: str) -> None:
        """Create or replace a user, who may do everything: a router checks other actions."""
        super().create_user(username, password, database)
        self.admin.admin.command("grantRolesToUser", username, roles=["router"])


class ShardedCluster:
    """Two shards and so many routers. `members` are the routers, which is what clients see.

    The database is on the first shard, and both shards have parts of the `sharded` collections.

    >>> with ShardedCluster(2, "app", "items") as cluster:
    ...     cluster.shards[0].kill()
    """

    def __init__(self, routers: int, database: str, *sharded: str) -> None:
        self._database = database
        self._sharded = sharded
        self._config = Mongod(auth=True, replica_set="config", role="configsvr")
        self.shards = [
            Mongod(auth=True, replica_set=name, role="shardsvr") for name in ("shard-0", "shard-1")
        ]
        self.members: list[Mongod] = [
            Router(auth=True, replica_set=f"router-{n}", role="shardsvr") for n in range(routers)
        ]
        for server in self._servers:
            server.root_password = self._config.root_password
            server.cluster_key = self._config.cluster_key
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack, ThreadPoolExecutor() as pool:
            for server in pool.map(lambda it: it.__enter__(), self._servers):
                stack.callback(server.close)
            config = self._config.admin
            config.admin.command("grantRolesToUser", "root", roles=["__system"])
            config.config.settings.insert_one({"_id": "balancer", "mode": "off", "stopped": True})
            self._add(*self.shards)
            created = self._change(
                "_configsvrCreateDatabase", self._database, primaryShardId="shard-0"
            )
            for collection in self._sharded:
                self._shard(collection, created["databaseVersion"])
            self._add(*self.members)  # now that no part of a collection can fall to them
            self._cleanup = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._cleanup.close()

    @property
    def _servers(self) -> list[Mongod]:
        return [self._config, *self.shards, *self.members]

    @property
    def primary(self) -> Mongod:
        """A router: one does as well as another."""
        return self.members[0]

    @property
    def chunks(self) -> dict[str, int]:
        """How many parts of sharded collections each shard has."""
        return dict(Counter(it["shard"] for it in self._config.admin.config.chunks.find()))

    def heal(self) -> None:
        """Start what was killed; returns when every server takes writes."""
        for server in self._servers:
            if not server.running:
                server.launch()
        wait_until(lambda: all(map(_leads, self._servers)), "primary of each", 60)

    def _add(self, *servers: Mongod) -> None:
        for server in servers:
            name = server.replica_set
            self._change("_configsvrAddShard", f"{name}/{server.address}", name=name)

    def _shard(self, collection: str, version: dict[str, Any]) -> None:
        """Make a collection of which each shard has parts."""
        admin = self.shards[0].admin
        admin.admin.command("grantRolesToUser", "root", roles=["__system"])
        admin[self._database].command(
            "_shardsvrCreateCollection",
            collection,
            shardKey={"_id": "hashed"},
            databaseVersion=version,
            writeConcern={"w": "majority"},
        )

    def _change(self, command: str, value: str, **options: Any) -> dict[str, Any]:
        options["writeConcern"] = {"w": "majority"}
        made: dict[str, Any] = self._config.admin.admin.command(command, value, **options)
        return made


def _leads(server: Mongod) -> bool:
    try:
        return bool(server.hello()["isWritablePrimary"])
    except AutoReconnect:
        return False


def routed(message: bytes) -> bytes:
    """The sections of a message, with a command by the name that a router has for it.

    mongos passes on the number of a write that may be repeated, for the shard to carry it out
    once. A router within mongod 6.0 ends at it (an invariant of transaction_router.cpp), so it is
    left out: what must not be tried here is a reply that is lost after the write.
    """
    length = int.from_bytes(message[:4], "little")
    command, rest = bson.decode(message[:length]), message[length:]
    name = next(iter(command))
    if name not in _ROUTED:
        return message
    if "autocommit" not in command:
        command.pop("txnNumber", None)
    # The first field is the command.
    renamed = {f"cluster{name[0].upper()}{name[1:]}": command.pop(name), **command}
    return bson.encode(renamed) + rest


def as_mongos(document: dict[str, Any]) -> dict[str, Any] | None:
    """What a mongos would say where a member of a replica set introduces itself, else None."""
    if "maxWireVersion" not in document or "setName" not in document:
        return None
    kept = {name: it for name, it in document.items() if name not in _OF_MEMBERS}
    return kept | {"msg": "isdbgrid"}
