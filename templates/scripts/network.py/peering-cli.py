"""The way to Atlas: a peering of the VPC with the Atlas project's network."""

from ipaddress import ip_network

import boto3
from atlas import Atlas, Failure, Item, wait_for
from environment import Environment

PRIVATE = True


def prepare(atlas: Atlas, environment: Environment, new: bool) -> str:
    """Deploy with the range of the Atlas project's network."""
    settings = environment.settings
    cidr = str(container(atlas, environment.region)["atlasCidrBlock"])
    vpc = settings.get("ExistingVpcCidr") or settings.get("VpcCidr", "172.16.0.0/16")
    if ip_network(vpc).overlaps(ip_network(cidr)):
        raise Failure(f"The VPC's range, {vpc}, overlaps that of Atlas's network, {cidr}.")
    settings["AtlasCidr"] = cidr
    # Another environment's settings may have deployed the same stack.
    if not new and "PeeringConnectionId" not in settings:
        for peering in atlas.list("networking", "peering", "list", "--provider", "AWS"):
            if (peering.get("routeTableCidrBlock"), peering["statusName"]) == (vpc, "AVAILABLE"):
                settings["PeeringConnectionId"] = peering["connectionId"]
    return cidr


def connect(atlas: Atlas, environment: Environment, cluster: str, outputs: dict[str, str]) -> str:
    """Peer the VPC with Atlas's network, and deploy with a route through the peering."""
    vpc, cidr = outputs["VpcId"], outputs["VpcCidr"]
    allow(atlas, cidr, "cidrBlock", environment.stack)
    if not peerings(atlas, vpc):
        create = ["networking", "peering", "create", "aws", "--accountId", environment.account]
        create += ["--region", environment.region, "--vpcId", vpc, "--routeTableCidrBlock", cidr]
        atlas.run(*create, "--atlasCidrBlock", outputs["AtlasCidr"])
    connection = accept(atlas, environment.region, vpc)
    environment.settings["PeeringConnectionId"] = connection
    return connection


def remove(atlas: Atlas, environment: Environment, outputs: dict[str, str]) -> None:
    """End the peering, and take the VPC's range from the IP access list."""
    for peering in peerings(atlas, outputs.get("VpcId", "")):
        atlas.run("networking", "peering", "delete", peering["id"], "--force")
    disallow(atlas, outputs.get("VpcCidr", ""), environment.stack)
    environment.settings.pop("PeeringConnectionId", None)


{% include 'scripts/network.py/access_list.py' %}

{% include 'scripts/network.py/peerings.py' -%}
