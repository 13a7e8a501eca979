"""The way to Atlas: a private endpoint of the VPC, which the stack connects to Atlas."""

from urllib.parse import urlsplit

from atlas import Atlas, Failure, Item, wait_for
from environment import Environment

PRIVATE = True


def prepare(atlas: Atlas, environment: Environment, new: bool) -> str:
    """See to it that the stack can make the project's only endpoint service in the Region."""
    if new and services(atlas, environment.region):
        raise Failure(
            f"The Atlas project {atlas.project} has a private endpoint service in "
            f"{environment.region} already, and can't have two: use a project for each "
            "environment, or bake with atlas_setup=cli."
        )
    return "made by the stack"


def connect(atlas: Atlas, environment: Environment, cluster: str, outputs: dict[str, str]) -> str:
    """Deploy with the cluster's host behind the stack's endpoint."""
    service = service_of(atlas, environment.region)
    endpoint = outputs["AtlasEndpointId"]
    host = wait_for(lambda: private_host(atlas, cluster, service["id"], endpoint), minutes=30)
    environment.settings["ClusterHost"] = host
    return host


def remove(atlas: Atlas, environment: Environment, outputs: dict[str, str]) -> None:
    """Nothing: the stack does."""


{% include 'scripts/network.py/endpoints.py' -%}
