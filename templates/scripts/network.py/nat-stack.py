"""The way to Atlas: over the internet, from the NAT gateway's address, which the stack allows."""

from atlas import Atlas
from environment import Environment

PRIVATE = False


def prepare(atlas: Atlas, environment: Environment, new: bool) -> str:
    """Atlas needs nothing before the deploy."""
    return "over the internet, from one address"


def connect(atlas: Atlas, environment: Environment, cluster: str, outputs: dict[str, str]) -> str:
    """Nothing: the stack does."""
    return f"{outputs['NatAddress']}, by the stack"


def remove(atlas: Atlas, environment: Environment, outputs: dict[str, str]) -> None:
    """Nothing: the stack does."""
