"""The way to Atlas: a peering of the VPC with the Atlas project's network."""

import boto3
from atlas import Atlas, Failure, Item, wait_for
from environment import Environment

PRIVATE = True


def prepare(atlas: Atlas, environment: Environment, new: bool) -> str:
    """Deploy with the Atlas project's network, unless it knows the VPC's range already."""
    cidr = environment.settings.get("VpcCidr", "172.16.0.0/16")
    cidr = environment.settings.get("ExistingVpcCidr", cidr)
    entries = atlas.list("accessLists", "list", "--limit", "500")
    if new and [it for it in entries if it.get("cidrBlock") == cidr]:
        raise Failure(
            f"The IP access list of the Atlas project {atlas.project} has {cidr} already, so the "
            f"stack can't add it: set another VpcCidr in {environment.where}, such as "
            "172.17.0.0/16, or use a project for each environment."
        )
    found = container(atlas, environment.region)
    environment.settings |= {
        "AtlasContainerId": str(found["id"]),
        "AtlasCidr": str(found["atlasCidrBlock"]),
    }
    return f"{found['atlasCidrBlock']} with {cidr}"


def connect(atlas: Atlas, environment: Environment, cluster: str, outputs: dict[str, str]) -> str:
    """Accept the peering, whose route the stack has."""
    return accept(atlas, environment.region, outputs["VpcId"])


def remove(atlas: Atlas, environment: Environment, outputs: dict[str, str]) -> None:
    """Nothing: the stack does."""


{% include 'scripts/network.py/peerings.py' -%}
