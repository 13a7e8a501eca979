"""The fault proxy does to connections what networks do."""

import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from typing import Literal

import pytest

from tests.lab.fault_proxy import FaultProxy
from tests.support.servers import LOOPBACK

pytestmark = pytest.mark.slow


class Echo(socketserver.BaseRequestHandler):
    """Answers what it is sent, in capitals."""

    def handle(self) -> None:
        while data := self.request.recv(1024):
            self.request.sendall(data.upper())


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    with socketserver.ThreadingTCPServer((LOOPBACK, 0), Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        with FaultProxy(server.server_address[1]) as proxy:
            yield proxy
        server.shutdown()


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[socket.socket]:
    """A connection that has been in use."""
    with connect(proxy) as client:
        assert ask(client, b"a") == b"A"
        yield client


def connect(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection((LOOPBACK, proxy.port), timeout=0.3)


def ask(client: socket.socket, question: bytes) -> bytes:
    client.sendall(question)
    return client.recv(1024)


def test_finish_is_the_end_of_the_stream(proxy: FaultProxy, client: socket.socket) -> None:
    proxy.finish()
    assert client.recv(1024) == b""
    with connect(proxy) as later:
        assert ask(later, b"b") == b"B"


def test_reset_is_a_reset(proxy: FaultProxy, client: socket.socket) -> None:
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        client.recv(1024)
    with connect(proxy) as later:
        assert ask(later, b"b") == b"B"


def test_forgotten_connection_seems_whole_until_it_is_used(
    proxy: FaultProxy, client: socket.socket
) -> None:
    proxy.forget()
    with pytest.raises(TimeoutError):
        client.recv(1024)
    with pytest.raises(ConnectionResetError):
        ask(client, b"b")


def test_lost_connection_never_answers(proxy: FaultProxy, client: socket.socket) -> None:
    proxy.lose()
    with pytest.raises(TimeoutError):
        ask(client, b"b")
    with connect(proxy) as later:
        assert ask(later, b"c") == b"C"


@pytest.mark.parametrize("what", ["requests", "replies"])
def test_held_packet_arrives_when_released(
    what: Literal["requests", "replies"], proxy: FaultProxy, client: socket.socket
) -> None:
    proxy.hold(what)
    with pytest.raises(TimeoutError):
        ask(client, b"b")
    proxy.release()
    assert client.recv(1024) == b"B"


def test_held_reply_is_gone_after_a_reset(proxy: FaultProxy, client: socket.socket) -> None:
    proxy.hold("replies")
    client.sendall(b"b")
    time.sleep(0.05)
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        client.recv(1024)


def test_partition_lets_nobody_connect_until_healed(
    proxy: FaultProxy, client: socket.socket
) -> None:
    proxy.partition()
    with pytest.raises(TimeoutError):
        ask(client, b"b")
    with pytest.raises(TimeoutError):
        connect(proxy)
    proxy.heal()
    assert client.recv(1024) == b"B", "TCP sends again"
    with connect(proxy) as later:
        assert ask(later, b"c") == b"C"


def test_delay_is_for_both_ways(proxy: FaultProxy, client: socket.socket) -> None:
    proxy.delay = 0.05
    began = time.monotonic()
    assert ask(client, b"b") == b"B"
    assert time.monotonic() - began >= 0.1
