"""Values for the parameters of the projects' stacks, or their settings, as people give them."""

from collections.abc import Mapping

from tests.support.baking import OPTIONS

PRIVATE_HOSTS = {
    "private-endpoint": ["cluster0-pl-0.ab1cd.mongodb.net", "cluster0-pl-0-lb.ab1cd.mongodb.net"],
    "peering": ["cluster0-pri.ab1cd.mongodb.net"],
}
"""The names that Atlas gives a cluster within a network: the second is optimised for shards."""

PRIVATE = list(PRIVATE_HOSTS)
"""The networks from which only what has an endpoint is reached."""


REQUIRING = ("network", "atlas_setup", "api_auth")
"""The answers that have parameters without a default."""


def required(network: str, atlas_setup: str, api_auth: str = "iam") -> dict[str, str]:
    """Values for the parameters that have no default."""
    values = {"ClusterHost": "cluster0.ab1cd.mongodb.net"}
    if api_auth == "jwt":
        values |= {"JwtIssuer": "https://id.example.com", "JwtAudience": "orders,billing"}
    if atlas_setup == "stack":
        values |= {"AtlasProjectId": PROJECT, "AtlasClusterName": "Cluster0"}
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


def scenarios(answers: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Sets of values that between them give each parameter a value that isn't its default.

    `new` is the least that a deploy takes, `existing` the least in an existing VPC.
    """
    answers = {name: choices[0] for name, choices in OPTIONS.items()} | dict(answers)
    network, stack = answers["network"], answers["atlas_setup"] == "stack"
    new = required(network, answers["atlas_setup"], answers["api_auth"])
    topic = "arn:aws:sns:us-east-1:123456789012:alarms"
    options = "srvMaxHosts=3&readPreference=nearest"
    chosen = {"ReservedConcurrency": "7", "ConnectionOptions": options, "AlarmTopicArn": topic}
    if answers["api_auth"] == "jwt":
        chosen["CorsOrigins"] = "https://app.example.com,http://localhost:5173"
    rotated = {"RotationAdminSecretArn": ADMIN_SECRET, "AtlasProjectId": PROJECT}
    # Of which a rotation wants the public one.
    private, optimised, *_ = *PRIVATE_HOSTS.get(network, []), *[new["ClusterHost"]] * 2
    if answers["auth"] == "password":
        chosen |= rotated | {"ClusterHost": private}
    if stack:
        chosen["AtlasProfile"] = "other"
    if network == "public":
        return {"new": new, "new-chosen": new | chosen}
    chosen |= {"AvailabilityZoneA": "us-east-1c", "AvailabilityZoneB": "us-east-1d"}
    chosen["VpcCidr"] = "172.20.0.0/16" if network == "peering" else "10.9.0.0/16"
    existing = new | existing_vpc(answers["auth"], network)
    others = {"ReservedConcurrency": "0"}
    if answers["auth"] == "password":
        others |= rotated | {"ClusterHost": optimised}
    if network == "nat":
        others["NatAddressB"] = "203.0.113.11"
    if network == "peering":
        chosen["AtlasCidr"] = "10.8.0.0/22"
        others["RouteTableIdB"] = "rtb-0123456789abcdef1"
        if not stack:
            chosen["PeeringConnectionId"] = others["PeeringConnectionId"] = PEERING
    return {
        "new": new,
        "new-chosen": new | chosen,
        "existing": existing,
        "existing-chosen": existing | others,
    }


ADMIN_SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:atlas-AbCdEf"  # noqa: S105
PROJECT = "5e2211c17a3e5a48f5497de3"
PEERING = "pcx-0123456789abcdef0"
