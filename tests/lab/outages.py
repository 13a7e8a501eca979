"""Outages of a cluster, for INIT and for restores: each returns what mends it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tests.lab.cluster import Cluster

Mend = Callable[[], object]


class Client(Protocol):
    """Whoever needs the cluster."""

    cluster: Cluster


def servers_down(client: Client) -> Mend:
    for member in client.cluster.members:
        member.stop()
    return client.cluster.heal


def black_hole(client: Client) -> Mend:
    for proxy in client.cluster.proxies:
        proxy.partition()
    return client.cluster.heal


def names_fail(client: Client) -> Mend:
    client.cluster.atlas.outage = "SERVFAIL"
    return client.cluster.heal
