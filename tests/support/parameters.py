"""Values for the parameters of the projects' stacks, as people would give them."""

PRIVATE = ["private-endpoint", "peering"]
"""The networks from which only what has an endpoint is reached."""


def required(network: str, atlas_setup: str) -> dict[str, str]:
    """Values for the parameters that have no default."""
    values = {"ClusterHost": "cluster0.ab1cd.mongodb.net"}
    if atlas_setup == "stack":
        values |= {"AtlasProjectId": "5e2211c17a3e5a48f5497de3", "AtlasClusterName": "Cluster0"}
        if network == "peering":
            values["AtlasContainerId"] = "5e2211c17a3e5a48f5497de4"
    elif network == "private-endpoint":
        values["EndpointServiceName"] = "com.amazonaws.vpce.us-east-1.vpce-svc-0123456789abcdef0"
    return values


def existing_vpc(auth: str, network: str) -> dict[str, str]:
    """Values for the parameters that name an existing VPC."""
    values = {
        "VpcId": "vpc-0123456789abcdef0",
        "SubnetIdA": "subnet-0123456789abcdef0",
        "SubnetIdB": "subnet-0123456789abcdef1",
    }
    if network == "nat":
        values["NatAddressA"] = "203.0.113.10"
    if network == "peering":
        values |= {"RouteTableIdA": "rtb-0123456789abcdef0", "ExistingVpcCidr": "10.20.0.0/16"}
    if auth == "password" and network in PRIVATE:
        values["SecretsManagerSecurityGroupId"] = "sg-0123456789abcdef0"
    return values
