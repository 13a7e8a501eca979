"""The way to Atlas: over the internet, from any address."""

from atlas import Atlas
from environment import ENVIRONMENTS, Environment

PRIVATE = False


def prepare(atlas: Atlas, environment: Environment, new: bool) -> str:
    """Atlas needs nothing before the deploy."""
    return "WARNING: the whole internet may connect, and only the login protects the data"


def connect(atlas: Atlas, environment: Environment, cluster: str, outputs: dict[str, str]) -> str:
    """Allow every address."""
    return allow(atlas, "0.0.0.0/0", "cidrBlock", environment.stack)


def remove(atlas: Atlas, environment: Environment, outputs: dict[str, str]) -> str:
    """Allow them no longer, unless another environment in the Atlas project needs them."""
    all_of_them = [Environment(it, "") for it in ENVIRONMENTS]
    stacks = {it.stack for it in all_of_them}
    deployed = [it for it in all_of_them if it.settings.get("ClusterHost")]
    others = {it.stack for it in deployed if it.project == atlas.project} - {environment.stack}
    if others:
        return f"0.0.0.0/0 stays, for {', '.join(sorted(others))}"
    disallow(atlas, "0.0.0.0/0", *stacks)
    return "0.0.0.0/0 is gone, if the service has added it"


{% include 'scripts/network.py/access_list.py' -%}
