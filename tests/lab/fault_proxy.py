"""A TCP proxy on loopback in which the network fails as told."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Literal, Self

from tests.support.servers import LOOPBACK

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends RST, not FIN
_BUFFER = 65_536

# What becomes of a connection's packets: they pass; those of one direction stay on the way; all
# are lost; the next one from the client is answered with RST.
_State = Literal["passing", "requests", "replies", "lost", "forgotten"]


class FaultProxy:
    """Passes bytes between clients and a port of loopback, until it is told not to.

    >>> with FaultProxy(mongod.port) as proxy:
    ...     client = MongoClient("127.0.0.1", proxy.port)
    ...     proxy.reset()

    Each fault is in effect when its method returns. Those of a connection strike the connections
    that are open then; later ones are whole. `accepted` counts all that there ever were.
    """

    port: int
    delay: float = 0.0  # seconds, each way

    def __init__(self, target: int) -> None:
        self.accepted = 0
        self._target = target
        self._connections: set[_Connection] = set()
        self._accepting: asyncio.Task[None] | None = None
        self._stuffing: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._listener = socket.create_server((LOOPBACK, 0))
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="fault-proxy", daemon=True
        )
        self._thread.start()
        self._flows = asyncio.Event()  # clear while the network is partitioned
        self._run(self._heal())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._listener.close()

    def finish(self) -> None:
        """Close every connection in order (FIN), as a server that shuts down does."""
        self._run(self._close_all(reset=False))

    def reset(self) -> None:
        """Reset every connection (RST), as a server that crashes does."""
        self._run(self._close_all(reset=True))

    def forget(self) -> None:
        """Answer the client's next packet on each connection with RST.

        So does a NAT gateway that has dropped an idle connection from its table.
        """
        self._run(self._set_all("forgotten"))

    def lose(self) -> None:
        """Lose every packet of each connection from now on: a black hole, as firewalls make it."""
        self._run(self._set_all("lost"))

    def hold(self, what: Literal["requests", "replies"]) -> None:
        """Keep the packets of one direction on the way, on each connection."""
        self._run(self._set_all(what))

    def release(self) -> None:
        """Let held packets arrive."""
        self._run(self._set_all("passing", only=("requests", "replies")))

    def partition(self) -> None:
        """Pass nothing, and let nobody connect: also the first packet (SYN) gets no answer."""
        self._run(self._partition())

    def heal(self) -> None:
        """End the partition, as if TCP sent again what was under way; servers let go of the
        connections that were lost."""
        self._run(self._heal())

    def drop(self, connection: _Connection) -> None:
        """A connection is over."""
        self._connections.discard(connection)

    async def connect(self, server: socket.socket) -> None:
        """Open a connection's other half."""
        await self._loop.sock_connect(server, (LOOPBACK, self._target))

    async def receive(self, end: socket.socket) -> bytes:
        """Read from one end; empty when it has hung up."""
        data = await self._loop.sock_recv(end, _BUFFER)
        await self._flows.wait()
        return data

    async def send(self, end: socket.socket, data: bytes) -> None:
        """Write to one end, after the delay."""
        if self.delay:
            await asyncio.sleep(self.delay)
        await self._loop.sock_sendall(end, data)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _accept(self) -> None:
        while True:
            client, _ = await self._loop.sock_accept(self._listener)
            connection = _Connection(client, self)
            self._connections.add(connection)
            self.accepted += 1
            connection.relaying.add_done_callback(connection.over)

    async def _close_all(self, *, reset: bool) -> None:
        await asyncio.gather(*(it.close(reset=reset) for it in self._connections))

    async def _set_all(self, state: _State, *, only: tuple[_State, ...] = ()) -> None:
        for connection in self._connections:
            if not only or connection.state in only:
                connection.set_state(state)

    async def _partition(self) -> None:
        self._flows.clear()
        await self._stop_accepting()
        # The kernel drops the SYN of those who meet a full queue of pending connections.
        self._listener.listen(0)
        while True:
            one = socket.socket()
            one.settimeout(0.05)
            try:
                one.connect((LOOPBACK, self.port))
            except TimeoutError:
                one.close()
                return
            self._stuffing.append(one)

    async def _heal(self) -> None:
        self._listener.listen()
        for one in self._stuffing:
            pending, _ = self._listener.accept()
            pending.close()
            one.close()
        self._stuffing.clear()
        lost = [it for it in self._connections if it.state in ("lost", "forgotten")]
        await asyncio.gather(*(it.close(reset=False) for it in lost))
        self._flows.set()
        if self._accepting is None:
            self._accepting = asyncio.create_task(self._accept())

    async def _stop_accepting(self) -> None:
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.wait([self._accepting])
            self._accepting = None

    async def _stop(self) -> None:
        await self._stop_accepting()
        await self._close_all(reset=True)
        for one in self._stuffing:
            one.close()


class _Connection:
    """A client's connection and its counterpart to the target."""

    def __init__(self, client: socket.socket, proxy: FaultProxy) -> None:
        self.state: _State = "passing"
        self._proxy = proxy
        self._client = client
        self._server = socket.socket()
        self._changed = asyncio.Event()  # the state, since somebody began to wait for it
        self._reset = False
        self.relaying = asyncio.create_task(self._relay())

    def set_state(self, state: _State) -> None:
        self.state = state
        self._changed.set()

    def over(self, _: asyncio.Task[None]) -> None:
        self._proxy.drop(self)

    async def close(self, *, reset: bool) -> None:
        self._reset = reset
        self.relaying.cancel()
        await asyncio.wait([self.relaying])

    async def _relay(self) -> None:
        """Until one side hangs up or a fault ends it."""
        for one in (self._client, self._server):
            one.setblocking(False)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await self._proxy.connect(self._server)
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._requests())
                pumps.create_task(self._replies())
        except* _HungUp:
            pass
        except* OSError:
            self._reset = True
        finally:
            if self._reset:
                with contextlib.suppress(OSError):
                    self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._client.close()
            self._server.close()

    async def _requests(self) -> None:
        while True:
            data = await self._proxy.receive(self._client)
            await self._while_held("requests")
            if self.state == "lost":
                if not data:  # the server won't hear of it either
                    await asyncio.Event().wait()
                continue
            if self.state == "forgotten" and data:
                raise ConnectionResetError
            if not data:
                raise _HungUp
            await self._proxy.send(self._server, data)

    async def _replies(self) -> None:
        while True:
            data = await self._proxy.receive(self._server)
            await self._while_held("replies")
            if self.state in ("lost", "forgotten"):
                if not data:
                    await asyncio.Event().wait()
                continue
            if not data:
                raise _HungUp
            await self._proxy.send(self._client, data)

    async def _while_held(self, what: _State) -> None:
        while self.state == what:
            self._changed.clear()
            await self._changed.wait()


class _HungUp(Exception):  # noqa: N818
    """One side has closed its connection."""
