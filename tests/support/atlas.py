"""A stand-in for a MongoDB Atlas cluster: its names, TLS, IAM authentication, and real mongods.

What a client meets is what Atlas shows it: `mongodb+srv://<host>/` resolved by SRV and TXT
records, a certificate for those names, a replica set, MONGODB-AWS and SCRAM users. A client
process gets there with `environment` added to its own; nothing in its code or URI differs.

    client -- TLS --> stand-in -- TLS --> mongod (each node of a replica set, access control on)

or the routers of a sharded cluster, for which it translates (tests/support/sharded.py).

The stand-in passes every message on, except for MONGODB-AWS, which only Atlas and MongoDB
Enterprise speak: that conversation it holds itself, then logs in to mongod as the role's user.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import hmac
import secrets
import ssl
import struct
import tempfile
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, cast

import bson
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
from bson.errors import InvalidBSON

from tests.support import sts
from tests.support.certificates import Authority
from tests.support.mongod import Mongod, ReplicaSet, Tls
from tests.support.servers import LOOPBACK
from tests.support.sharded import ShardedCluster, as_mongos, routed

Tier = Literal["dedicated", "shared"]
Outage = Literal["silent", "SERVFAIL", "NXDOMAIN"]
_Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_Records = dict[tuple[dns.name.Name, dns.rdatatype.RdataType], dns.rrset.RRset]

_BACKLOG = 4096  # connections that wait to be accepted, as many as with mongod
_RESOLVER = Path(__file__).parent / "resolver"
_HEADER = struct.Struct("<iiii")  # messageLength, requestID, responseTo, opCode
_OP_MSG = 2013
_DOCUMENT = _HEADER.size + 5  # after the flags and the kind of the first section
_OLD_DOCUMENT = _HEADER.size + 20  # of an OP_REPLY, after its flags, cursor and counts
_COMMAND = _DOCUMENT + 5  # after the length of the document and the type of its first field


class Atlas:
    """One cluster on loopback.

    >>> with Atlas() as atlas:
    ...     atlas.add_role("arn:aws:iam::123456789012:role/orders", "ASIA…", "…", "…", "app")
    ...     subprocess.run([...], env={**env, **atlas.environment})

    `host` is what people enter as ClusterHost. `tier` picks the error of a refused login:
    dedicated clusters (M10+) answer code 18 `AuthenticationFailed`, shared ones (M0, Flex)
    code 8000 `AtlasError` "bad auth : …".

    `environment`: all that a client process needs (PYTHONPATH, SSL_CERT_FILE and the address of
    the name server). `replica_set`: the servers behind; each client connection is one of their
    connections, a role's user is named by its ARN. `refusals`: why each MONGODB-AWS login was
    refused, which the client isn't told.

    `publish` is given the port of each node and answers the one that clients are told, such as
    that of a proxy in front. `outage` is what ails the name server, None if nothing does.
    """

    environment: dict[str, str]
    replica_set: ReplicaSet | ShardedCluster
    port: int  # of the first node

    def __init__(
        self,
        host: str = "cluster0.ab1cd.mongodb.net",
        *,
        tier: Tier = "dedicated",
        nodes: int = 1,
        sharded: tuple[str, ...] = (),  # a database and its sharded collections
        publish: Callable[[int], int] = lambda port: port,
    ) -> None:
        self.host = host
        self.tier = tier
        self.outage: Outage | None = None
        self.sts = sts.Sts()
        self.refusals: list[str] = []
        self._publish = publish
        label, self._zone = host.split(".", 1)
        self.private_host = f"{label}-pl-0.{self._zone}"  # behind a private endpoint
        self.nodes = [f"{label}-shard-00-{n:02}.{self._zone}" for n in range(nodes)]
        self.sharded = sharded
        self._set_name = f"atlas-{self._zone.split('.')[0]}-shard-0"
        self._passwords: dict[str, str] = {}  # of the roles' users in mongod
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="atlas-")))
            self._authority = Authority(folder)
            tls = Tls(
                self._authority.issue("nodes.pem", [self.host, *self.nodes]), self._authority.file
            )
            self._server_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._server_tls.load_cert_chain(tls.certificate)
            self._mongod_tls = ssl.create_default_context(cafile=tls.authority)
            loop = stack.enter_context(_event_loop())
            self._loop = loop
            self._ports = ports = [0] * len(self.nodes)
            self._servers: dict[int, asyncio.Server] = {}
            for node in range(len(self.nodes)):
                self.open_port(node)
                stack.callback(self.close_port, node)
            self.port = ports[0]
            published = dict(zip(self.nodes, map(self._publish, ports), strict=True))
            options = "authSource=admin"  # of a sharded cluster, that's all
            if not self.sharded:
                options += f"&replicaSet={self._set_name}"
            records = {
                key: it
                for host in (self.host, self.private_host)
                for key, it in _records(host, published, options).items()
            }
            answer = asyncio.run_coroutine_threadsafe(self._answer(records), loop)
            name_server = answer.result()
            stack.callback(loop.call_soon_threadsafe, name_server.close)
            dns_port = name_server.get_extra_info("sockname")[1]
            horizons = [f"{node}:{port}" for node, port in published.items()]
            if self.sharded:
                routers = ShardedCluster(len(self.nodes), *self.sharded)
                self.replica_set = stack.enter_context(routers)
            else:
                members = ReplicaSet(self._set_name, auth=True, tls=tls, horizons=horizons)
                self.replica_set = stack.enter_context(members)
            self.environment = {
                "PYTHONPATH": str(_RESOLVER),
                "SSL_CERT_FILE": str(tls.authority),
                "TEST_ATLAS_RESOLVER": f"{self._zone} {LOOPBACK} {dns_port}",
            }
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
    def mongod(self) -> Mongod:
        """The primary; with one node, the server behind."""
        members = self.replica_set.members
        return members[0] if len(members) == 1 else self.replica_set.primary

    def present_certificate(self, *names: str, expired: bool = False) -> None:
        """From now on show clients another certificate of the same authority.

        Without `names` it is for this cluster's.
        """
        names = names or (self.host, *self.nodes)
        file = self._authority.issue("presented.pem", [*names], expired=expired)
        self._server_tls.load_cert_chain(file)

    def add_role(
        self,
        role_arn: str,
        access_key: str,
        secret_key: str,
        session_token: str,
        database: str,
        expires: datetime | None = None,
    ) -> None:
        """Let a role in, with readWrite on one database, and have it assumed.

        The three strings are what the role's functions have in AWS_ACCESS_KEY_ID,
        AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN. A client is recognised by its access key,
        as by STS: two roles can't share one, a role may have many (call again, or
        `sts.add_session`; that alone makes a role that Atlas doesn't know). ValueError as there.
        """
        self.sts.add_session(role_arn, access_key, secret_key, session_token, expires)
        password = self._passwords.setdefault(role_arn, secrets.token_hex(16))
        self._create_user(role_arn, password, database)

    def add_user(self, username: str, password: str, database: str) -> None:
        """Create or replace a SCRAM user with readWrite on one database (authSource=admin)."""
        self._create_user(username, password, database)

    def set_password(self, username: str, password: str) -> None:
        """Change a SCRAM user's password; open connections stay authenticated."""
        for server in self.replica_set.members if self.sharded else [self.mongod]:
            server.set_password(username, password)

    def _create_user(self, username: str, password: str, database: str) -> None:
        for server in self.replica_set.members if self.sharded else [self.mongod]:
            server.create_user(username, password, database)

    def password_of(self, role_arn: str) -> str | None:
        """The password of a role's user in mongod; None if the role isn't let in."""
        return self._passwords.get(role_arn)

    def open_port(self, node: int) -> None:
        """Accept connections to a node, which is up again."""
        listen = asyncio.run_coroutine_threadsafe(self._listen(node), self._loop)
        self._servers[node] = server = listen.result()
        self._ports[node] = server.sockets[0].getsockname()[1]

    def close_port(self, node: int) -> None:
        """Refuse connections, as the port of a node that is down. Those that are open stay so."""
        if server := self._servers.pop(node, None):
            self._loop.call_soon_threadsafe(server.close)

    async def _listen(self, node: int) -> asyncio.Server:
        accept = functools.partial(self._accept, node)
        return await asyncio.start_server(
            accept, LOOPBACK, self._ports[node], ssl=self._server_tls, backlog=_BACKLOG
        )

    async def _answer(self, records: _Records) -> asyncio.BaseTransport:
        """Open the name server's port."""
        name_server, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _NameServer(self, records), local_addr=(LOOPBACK, 0)
        )
        return name_server

    async def _accept(
        self, index: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError):
            # By this name mongod gives the addresses of the horizon to its clients, not its own.
            upstream = await asyncio.open_connection(
                LOOPBACK,
                self.replica_set.members[index].port,
                ssl=None if self.sharded else self._mongod_tls,
                server_hostname=None if self.sharded else self.nodes[index],
            )
            with contextlib.closing(upstream[1]):
                await _Connection(self, (reader, writer), upstream).relay()


class _Connection:
    """One client's connection and its counterpart to mongod."""

    def __init__(self, atlas: Atlas, client: _Stream, upstream: _Stream) -> None:
        self._atlas = atlas
        self._client, self._upstream = client, upstream
        self._nonce: bytes | None = None  # of a MONGODB-AWS conversation under way
        self._own: dict[int, asyncio.Future[dict[str, Any]]] = {}  # our requests to mongod
        self._logins: set[int] = set()  # the client's SASL requests on their way to mongod

    async def relay(self) -> None:
        """Until one side hangs up."""
        try:
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._requests())
                pumps.create_task(self._replies())
        except* (OSError, asyncio.IncompleteReadError):
            pass

    async def _requests(self) -> None:
        while True:
            message = await _read(self._client[0])
            _, request_id, _, op_code = _HEADER.unpack_from(message)
            # hello may come as OP_QUERY, all else as OP_MSG; authentication isn't compressed.
            if op_code == _OP_MSG and message.startswith((b"saslStart\0", b"saslCont"), _COMMAND):
                answer = await self._converse(_document(message))
                if answer is not None:
                    await _write(self._client[1], _message(answer, response_to=request_id))
                    continue
                self._logins.add(request_id)
            if self._atlas.sharded and op_code == _OP_MSG:
                message = _resized(message, routed(message[_DOCUMENT:]))
            await _write(self._upstream[1], message)

    async def _replies(self) -> None:
        while True:
            message = await _read(self._upstream[0])
            request_id = _HEADER.unpack_from(message)[2]
            if request_id in self._own:
                self._own.pop(request_id).set_result(_document(message))
                continue
            if request_id in self._logins:
                self._logins.remove(request_id)
                if _document(message).get("code") == 18:
                    message = _message(self._refusal("authentication failed"), request_id)
            if self._atlas.sharded:
                message = _introduced(message)
            await _write(self._client[1], message)

    async def _converse(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """The answer to a step of MONGODB-AWS; None for other mechanisms."""
        starts = request.get("mechanism") == "MONGODB-AWS"
        if not starts and self._nonce is None:
            return None
        nonce, self._nonce = self._nonce, None
        try:
            payload = bson.decode(request["payload"])
            if nonce is None or starts:
                self._nonce = _server_nonce(request["$db"], payload)
                return _step(bson.encode({"s": self._nonce, "h": sts.HOST}), done=False)
            role_arn = self._atlas.sts.caller(payload["a"], payload["d"], payload.get("t"), nonce)
        except sts.RefusedError as why:
            self._atlas.refusals.append(str(why))
            return self._refusal("aws sts call has response 403")
        except (InvalidBSON, KeyError, TypeError, ValueError) as why:
            self._atlas.refusals.append(f"malformed message: {why!r}")
            return self._refusal("authentication failed")
        password = self._atlas.password_of(role_arn)
        if password is None:
            reason = f"user {role_arn} is not found"
            self._atlas.refusals.append(reason)
            return self._refusal(reason)
        await self._log_in(role_arn, password)
        return _step(b"", done=True)

    def _refusal(self, reason: str) -> dict[str, Any]:
        """What the tier's clients get to see; only the shared tiers' proxy gives a reason."""
        if self._atlas.tier == "shared":
            error = {"errmsg": f"bad auth : {reason}", "code": 8000, "codeName": "AtlasError"}
        else:
            error = {
                "errmsg": "Authentication failed.",
                "code": 18,
                "codeName": "AuthenticationFailed",
            }
        return {"ok": 0.0, **error}

    async def _log_in(self, username: str, password: str) -> None:
        """Authenticate the connection to mongod by SCRAM-SHA-256 (RFC 7677)."""
        name = username.replace("=", "=3D").replace(",", "=2C")
        first = f"n={name},r={secrets.token_hex(16)}"
        start = {"mechanism": "SCRAM-SHA-256", "options": {"skipEmptyExchange": True}}
        reply = await self._command(
            {"saslStart": 1, **start, "payload": f"n,,{first}".encode(), "$db": "admin"}
        )
        challenge = reply["payload"].decode()
        field = dict(part.split("=", 1) for part in challenge.split(","))
        final = f"c=biws,r={field['r']}"
        salted = hashlib.pbkdf2_hmac(
            "sha256", password.encode(), b64decode(field["s"]), int(field["i"])
        )
        key = hmac.digest(salted, b"Client Key", "sha256")
        conversation = f"{first},{challenge},{final}".encode()
        signature = hmac.digest(hashlib.sha256(key).digest(), conversation, "sha256")
        proof = bytes(a ^ b for a, b in zip(key, signature, strict=True))
        payload = f"{final},p={b64encode(proof).decode()}".encode()
        step = {"conversationId": reply["conversationId"], "payload": payload}
        await self._command({"saslContinue": 1, **step, "$db": "admin"})

    async def _command(self, document: dict[str, Any]) -> dict[str, Any]:
        # The client is waiting for its answer: there are no other requests to mix ours up with.
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._own[0] = answer
        await _write(self._upstream[1], _message(document))
        reply = await answer
        if not reply["ok"]:
            raise RuntimeError(f"mongod refused the stand-in itself: {reply}")
        return reply


def _server_nonce(source: str, payload: Mapping[str, Any]) -> bytes:
    """The client's 32 bytes and 32 of our own; ValueError if it asks for channel binding."""
    if source != "$external" or len(payload["r"]) != 32 or payload["p"] != ord("n"):
        raise ValueError("first message")
    return bytes(payload["r"]) + secrets.token_bytes(32)


def _step(payload: bytes, *, done: bool) -> dict[str, Any]:
    return {"conversationId": 1, "done": done, "payload": payload, "ok": 1.0}


async def _read(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(4)
    return head + await reader.readexactly(int.from_bytes(head, "little") - 4)


async def _write(writer: asyncio.StreamWriter, message: bytes) -> None:
    writer.write(message)
    await writer.drain()


def _document(message: bytes) -> dict[str, Any]:
    """The first section of an OP_MSG; others may follow it."""
    length = int.from_bytes(message[_DOCUMENT : _DOCUMENT + 4], "little")
    return dict(bson.decode(message[_DOCUMENT : _DOCUMENT + length]))


def _resized(message: bytes, rest: bytes) -> bytes:
    """A message whose part after the flags and the first section's kind is another."""
    length = _DOCUMENT + len(rest)
    return length.to_bytes(4, "little") + message[4:_DOCUMENT] + rest


def _introduced(message: bytes) -> bytes:
    """A reply, in which a router is a mongos if it says who it is."""
    _, request_id, response_to, op_code = _HEADER.unpack_from(message)
    start = _DOCUMENT if op_code == _OP_MSG else _OLD_DOCUMENT
    length = int.from_bytes(message[start : start + 4], "little")
    if b"setName\0" not in message[start : start + length]:
        return message
    document = as_mongos(bson.decode(message[start : start + length]))
    if document is None:
        return message
    body = message[_HEADER.size : start] + bson.encode(document)
    return _HEADER.pack(_HEADER.size + len(body), request_id, response_to, op_code) + body


def _message(document: Mapping[str, Any], response_to: int = 0) -> bytes:
    body = bytes(5) + bson.encode(document)
    return _HEADER.pack(_HEADER.size + len(body), 0, response_to, _OP_MSG) + body


def _records(host: str, ports: Mapping[str, int], options: str) -> _Records:
    """What Atlas publishes for a cluster: its nodes, their options, their addresses."""
    texts = [
        (f"_mongodb._tcp.{host}.", "SRV", [f"0 0 {port} {node}." for node, port in ports.items()]),
        (f"{host}.", "TXT", [f'"{options}"']),
        *((f"{node}.", "A", [LOOPBACK]) for node in ports),
    ]
    records = [dns.rrset.from_text(name, 60, "IN", type_, *text) for name, type_, text in texts]
    return {(record.name, record.rdtype): record for record in records}


class _NameServer(asyncio.DatagramProtocol):
    """Answers for a handful of records; every other name doesn't exist."""

    def __init__(self, atlas: Atlas, records: _Records) -> None:
        self._atlas = atlas
        self._records = records

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        outage = self._atlas.outage
        if outage == "silent":
            return
        query = dns.message.from_wire(data)
        question = query.question[0]
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        record = self._records.get((question.name, question.rdtype))
        if outage is not None:
            response.set_rcode(dns.rcode.from_text(outage))
        elif record is not None:
            response.answer.append(record)
        elif not any(name == question.name for name, _ in self._records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        self._transport.sendto(response.to_wire(), addr)


@contextlib.contextmanager
def _event_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that runs in a thread of its own; its tasks end with the context."""
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        thread = threading.Thread(target=loop.run_forever, name="atlas", daemon=True)
        thread.start()
        try:
            yield loop
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
