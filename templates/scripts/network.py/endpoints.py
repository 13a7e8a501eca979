def services(atlas: Atlas, region: str) -> list[Item]:
    """Return the project's private endpoint service in a Region, as a list of one or none."""
    found = atlas.list("privateEndpoints", "aws", "list")
    return [
        it
        for it in found
        if it["regionName"].lower().replace("_", "-") == region and it["status"] != "DELETING"
    ]


def service_of(atlas: Atlas, region: str) -> Item:
    """Return that service."""
    for service in services(atlas, region):
        return service
    raise Failure(f"The Atlas project has no private endpoint service in {region} any more.")


def private_host(atlas: Atlas, cluster: str, service: str, endpoint: str) -> str:
    """Return the cluster's host behind an endpoint, once there is one."""
    describe = ["privateEndpoints", "aws", "interfaces", "describe", endpoint]
    state = atlas.read(*describe, "--endpointServiceId", service)
    if state["connectionStatus"] == "REJECTED":
        raise Failure(f"Atlas says of {endpoint}: {state.get('errorMessage')}")
    strings = atlas.read("clusters", "describe", cluster)["connectionStrings"]
    for private in strings.get("privateEndpoint") or []:
        if endpoint in [it["endpointId"] for it in private.get("endpoints") or []]:
            return urlsplit(private["srvConnectionString"]).hostname or ""
    return ""
