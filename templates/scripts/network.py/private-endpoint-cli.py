"""The way to Atlas: a private endpoint of the VPC, and Atlas's service behind it."""

from urllib.parse import urlsplit

from atlas import Atlas, Failure, Item, wait_for
from environment import Environment

PRIVATE = True


def prepare(atlas: Atlas, environment: Environment, new: bool) -> str:
    """Have a private endpoint service in the Region, and deploy an endpoint of it."""
    if not services(atlas, environment.region):
        atlas.run("privateEndpoints", "aws", "create", "--region", environment.region)

    def available() -> str:
        for service in services(atlas, environment.region):
            if service["status"] == "FAILED":
                raise Failure(f"Atlas says of its endpoint service: {service.get('errorMessage')}")
            if service["status"] in ("AVAILABLE", "WAITING_FOR_USER"):
                return str(service["endpointServiceName"])
        return ""

    name = wait_for(available, minutes=20)
    environment.settings["EndpointServiceName"] = name
    return name


def connect(atlas: Atlas, environment: Environment, cluster: str, outputs: dict[str, str]) -> str:
    """Connect the stack's endpoint to the service, and deploy with the host behind it."""
    endpoint = outputs["AtlasEndpointId"]
    service = service_of(atlas, environment.region)
    if endpoint not in (service.get("interfaceEndpoints") or []):
        create = ["privateEndpoints", "aws", "interfaces", "create", service["id"]]
        atlas.run(*create, "--privateEndpointId", endpoint)
    host = wait_for(lambda: private_host(atlas, cluster, service["id"], endpoint), minutes=30)
    environment.settings["ClusterHost"] = host
    return host


def remove(atlas: Atlas, environment: Environment, outputs: dict[str, str]) -> None:
    """Remove the endpoint from the service, and the service if it was the last."""
    endpoint = outputs.get("AtlasEndpointId", "")

    def others() -> list[Item] | None:
        found = services(atlas, environment.region)
        connected = [it for it in found if endpoint in (it.get("interfaceEndpoints") or [])]
        return None if connected else found

    for service in services(atlas, environment.region):
        if endpoint in (service.get("interfaceEndpoints") or []):
            delete = ["privateEndpoints", "aws", "interfaces", "delete", endpoint]
            atlas.run(*delete, "--endpointServiceId", service["id"], "--force")
            wait_for(lambda: others() is not None, minutes=20)
    for service in others() or []:
        ours = service.get("endpointServiceName") == environment.settings.get("EndpointServiceName")
        if ours and not service.get("interfaceEndpoints"):
            atlas.run("privateEndpoints", "aws", "delete", service["id"], "--force")
    environment.settings.pop("EndpointServiceName", None)


{% include 'scripts/network.py/endpoints.py' -%}
