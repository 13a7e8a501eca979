"""The way to Atlas: over the internet, from the NAT gateway's address."""

from atlas import Atlas
from environment import Environment

PRIVATE = False


def prepare(atlas: Atlas, environment: Environment, new: bool) -> str:
    """Atlas needs nothing before the deploy."""
    return "over the internet, from one address"


def connect(atlas: Atlas, environment: Environment, cluster: str, outputs: dict[str, str]) -> str:
    """Allow the address, or both if each subnet has its own gateway."""
    addresses = outputs["NatAddress"].split(",")
    return ", ".join(allow(atlas, it, "ipAddress", environment.stack) for it in addresses)


def remove(atlas: Atlas, environment: Environment, outputs: dict[str, str]) -> None:
    """Allow it no longer."""
    for address in outputs.get("NatAddress", "").split(","):
        disallow(atlas, address, environment.stack)


{% include 'scripts/network.py/access_list.py' -%}
