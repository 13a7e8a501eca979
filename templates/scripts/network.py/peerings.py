def container(atlas: Atlas, region: str) -> Item:
    """Return the Atlas project's network in a Region, which comes with its first cluster there."""
    for found in atlas.list("networking", "containers", "list", "--provider", "AWS"):
        if found["regionName"].lower().replace("_", "-") == region:
            return found
    raise Failure(f"The Atlas project has no network in {region}.")


def peerings(atlas: Atlas, vpc: str) -> list[Item]:
    """Return Atlas's peerings with a VPC that are active, or may become so."""
    found = atlas.list("networking", "peering", "list", "--provider", "AWS")
    ended = ("FAILED", "TERMINATING")
    return [it for it in found if it["vpcId"] == vpc and it["statusName"] not in ended]


def accept(atlas: Atlas, region: str, vpc: str) -> str:
    """Accept the peering that Atlas requests, and return its ID when it is active."""

    def active() -> str:
        found = peerings(atlas, vpc)
        if not found:
            raise Failure("Atlas couldn't peer with the VPC: see `atlas networking peering list`.")
        connection = str(found[0].get("connectionId") or "")
        if connection and found[0]["statusName"] == "PENDING_ACCEPTANCE":
            # EC2 may not know it yet, or that it is accepted when Atlas doesn't.
            ec2 = boto3.client("ec2", region_name=region)
            filters = [{"Name": "vpc-peering-connection-id", "Values": [connection]}]
            known = ec2.describe_vpc_peering_connections(Filters=filters)["VpcPeeringConnections"]
            if known and known[0]["Status"]["Code"] == "pending-acceptance":
                ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=connection)
        return connection if found[0]["statusName"] == "AVAILABLE" else ""

    return wait_for(active, minutes=20)
