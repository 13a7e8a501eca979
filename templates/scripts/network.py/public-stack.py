"""The way to Atlas: over the internet, from any address, which the stack allows."""

from atlas import Atlas, Failure
from environment import Environment

PRIVATE = False


def prepare(atlas: Atlas, environment: Environment, new: bool) -> str:
    """See to it that the stack can allow every address."""
    entries = atlas.list("accessLists", "list", "--limit", "500")
    if new and [it for it in entries if it.get("cidrBlock") == "0.0.0.0/0"]:
        raise Failure(
            f"The IP access list of the Atlas project {atlas.project} has 0.0.0.0/0 already, so "
            "the stack can't add it: delete it, or use a project for each environment."
        )
    return "WARNING: the whole internet may connect, and only the login protects the data"


def connect(atlas: Atlas, environment: Environment, cluster: str, outputs: dict[str, str]) -> str:
    """Nothing: the stack does."""
    return "0.0.0.0/0, by the stack"


def remove(atlas: Atlas, environment: Environment, outputs: dict[str, str]) -> None:
    """Nothing: the stack does."""
