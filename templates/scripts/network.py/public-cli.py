"""The way to Atlas: over the internet, from any address."""

from atlas import Atlas
from environment import Environment

PRIVATE = False


def prepare(atlas: Atlas, environment: Environment, new: bool) -> str:
    """Atlas needs nothing before the deploy."""
    return "WARNING: the whole internet may connect, and only the login protects the data"


def connect(atlas: Atlas, environment: Environment, cluster: str, outputs: dict[str, str]) -> str:
    """Allow every address."""
    return allow(atlas, "0.0.0.0/0", "cidrBlock", environment.stack)


def remove(atlas: Atlas, environment: Environment, outputs: dict[str, str]) -> None:
    """Allow them no longer."""
    disallow(atlas, "0.0.0.0/0", environment.stack)


{% include 'scripts/network.py/access_list.py' -%}
