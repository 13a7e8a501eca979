"""Stand-ins for the `MongoDB::Atlas` resource types.

CloudFormation judges the properties by the publisher's schema before any handler runs; so do
these, and then they keep the resource, refusing what Atlas would.
"""

import ipaddress
import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
from ministack.core.responses import get_region  # type: ignore[import-not-found]
from ministack.services import ec2  # type: ignore[import-not-found]
from ministack.services.cloudformation import provisioners  # type: ignore[import-not-found]

Properties = dict[str, Any]
Provisioned = tuple[str, dict[str, Any]]

_SCHEMAS = Path(__file__).with_name("atlas_schemas")
_LOCK = threading.Lock()
_resources: dict[tuple[str, ...], dict[str, Any]] = {}


def register() -> None:
    """Add one handler for each schema."""
    for file in sorted(_SCHEMAS.glob("*.json")):
        AtlasType(json.loads(file.read_text("utf-8"))).register()


def resources() -> list[dict[str, Any]]:
    """Everything the stacks have in Atlas: type, id (physical), and properties."""
    with _LOCK:
        return list(_resources.values())


def _existing(type_name: str) -> list[Properties]:
    return [it["properties"] for it in resources() if it["type"] == type_name]


class AtlasType:
    """One resource type, after its schema."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.name: str = schema["typeName"]
        self.properties: Properties = schema["properties"]
        self.read_only = _names(schema.get("readOnlyProperties", []))
        self.create_only = _names(schema.get("createOnlyProperties", []))
        self.identifier = _names(schema["primaryIdentifier"])
        self.validator: Any = jsonschema.Draft7Validator(schema)

    def register(self) -> None:
        provisioners._RESOURCE_HANDLERS[self.name] = {
            "create": self.create,
            "update": self.update,
            "delete": self.delete,
        }
        provisioners._REPLACING_PROPERTIES[self.name] = tuple(self.create_only)

    def create(self, logical_id: str, properties: Properties, _stack: str) -> Provisioned:
        self.judge(logical_id, properties)
        attributes = _ATTRIBUTES[self.name](properties)
        known = {"Profile": "default"} | properties | attributes
        physical_id = "|".join(str(known[name]) for name in self.identifier)
        if self.key(physical_id, properties) in _resources:
            raise ValueError(f"Resource of type '{self.name}' already exists (AlreadyExists)")
        self.keep(physical_id, properties | attributes)
        return physical_id, attributes

    def update(self, physical_id: str, old: Properties, new: Properties, *_: Any) -> Provisioned:
        with _LOCK:
            kept = _resources.pop(self.key(physical_id, old))["properties"]
        attributes = {name: kept[name] for name in self.read_only if name in kept}
        try:
            self.judge(physical_id, new)
        except ValueError:
            self.keep(physical_id, kept)
            raise
        self.keep(physical_id, new | attributes)
        return physical_id, attributes

    def delete(self, physical_id: str, properties: Properties) -> None:
        with _LOCK:
            removed = _resources.pop(self.key(physical_id, properties), None)
        if removed and (connection := removed["properties"].get("ConnectionId")):
            ec2._vpc_peering.pop(connection, None)

    def key(self, physical_id: str, properties: Properties) -> tuple[str, ...]:
        """Access lists of one project have the same id; their entries tell them apart."""
        entries = map(_address, properties.get("AccessList", []))
        return self.name, physical_id, *sorted(entries)

    def keep(self, physical_id: str, properties: Properties) -> None:
        with _LOCK:
            record = {"type": self.name, "id": physical_id, "properties": properties}
            _resources[self.key(physical_id, properties)] = record

    def judge(self, logical_id: str, properties: Properties) -> None:
        """ValueError with every fault: first those of the schema, else those Atlas finds."""
        faults = [
            fault
            for error in self.validator.iter_errors(properties)
            for fault in _schema_faults(error)
        ]
        faults += [
            f"#/{name}: read-only property can't be given"
            for name in self.read_only
            if name in properties
        ]
        faults = faults or list(_RULES[self.name](properties))
        if faults:
            raise ValueError(
                f"Properties validation failed for resource {logical_id} with message:\n"
                + "\n".join(faults)
            )


def _names(pointers: list[str]) -> list[str]:
    return [pointer.removeprefix("/properties/") for pointer in pointers]


def _schema_faults(error: Any) -> Iterator[str]:
    """A fault of the schema in CloudFormation's words."""
    where = "#" + "".join(f"/{part}" for part in error.absolute_path)
    if error.validator == "additionalProperties":
        for name in sorted(error.instance.keys() - error.schema["properties"].keys()):
            yield f"{where}: extraneous key [{name}] is not permitted"
    elif error.validator == "required":
        missing = [name for name in error.validator_value if f"'{name}'" in error.message]
        yield f"{where}: required key [{missing[0]}] not found"
    elif error.validator == "enum":
        yield f"{where}: {error.instance} is not a valid enum value"
    else:
        yield f"{where}: {error.message}"


# What the publisher's handlers and Atlas itself refuse besides


def _database_user(properties: Properties) -> Iterator[str]:
    kinds = [properties.get(name, "NONE") for name in ("AWSIAMType", "LdapAuthType", "X509Type")]
    if "Password" not in properties and set(kinds) == {"NONE"}:
        yield "#/Password: can't be empty without LDAP, IAM or X.509"
    if kinds[0] == "NONE":
        return
    if properties["DatabaseName"] != "$external":
        yield "#/DatabaseName: users with AWSIAMType are in $external"
    if "Password" in properties:
        yield "#/Password: users with AWSIAMType have none"
    kind = kinds[0].lower()
    if not re.fullmatch(rf"arn:aws:iam::\d{{12}}:{kind}/[\w+=,.@-]+", properties["Username"]):
        yield f"#/Username: {properties['Username']} is not the ARN of a {kind} without path"


def _access_list(properties: Properties) -> Iterator[str]:
    present = {
        _address(entry)
        for other in _existing("MongoDB::Atlas::ProjectIpAccessList")
        if other["ProjectId"] == properties["ProjectId"]
        for entry in other["AccessList"]
    }
    for index, entry in enumerate(properties["AccessList"]):
        where = f"#/AccessList/{index}"
        if len(entry.keys() & _ADDRESSES.keys()) != 1:
            yield f"{where}: needs one of {', '.join(_ADDRESSES)}"
        for name in entry.keys() & _ADDRESSES.keys():
            yield from _unparsable(f"{where}/{name}", _ADDRESSES[name], entry[name])
        if _address(entry) in present:
            yield f"{where}: {_address(entry)} is in the project's access list already"


def _address(entry: Properties) -> str:
    return "".join(entry.get(name, "") for name in _ADDRESSES)


def _network_container(properties: Properties) -> Iterator[str]:
    block = properties["AtlasCidrBlock"]
    yield from _unparsable("#/AtlasCidrBlock", ipaddress.IPv4Network, block)


def _network_peering(properties: Properties) -> Iterator[str]:
    for name in ("AccepterRegionName", "AwsAccountId", "RouteTableCIDRBlock"):
        if name not in properties:  # the handler asks for more than the schema
            yield f"#: required key [{name}] not found"
    for name in ("ProjectId", "ContainerId"):
        if not re.fullmatch("[0-9a-f]{24}", properties[name]):
            yield f"#/{name}: {properties[name]} is not 24 hexadecimal digits"
    if properties["VpcId"] not in ec2._vpcs:
        yield f"#/VpcId: there is no {properties['VpcId']}"
    block = properties.get("RouteTableCIDRBlock", "0.0.0.0/0")
    yield from _unparsable("#/RouteTableCIDRBlock", ipaddress.IPv4Network, block)


def _private_endpoint(properties: Properties) -> Iterator[str]:
    services = [
        service
        for service in _existing("MongoDB::Atlas::PrivateEndpointService")
        if service["Id"] == properties["EndpointServiceId"]
        and service["ProjectId"] == properties["ProjectId"]
    ]
    if not services:
        yield f"#/EndpointServiceId: there is no {properties['EndpointServiceId']}"
        return
    endpoint = ec2._vpc_endpoints.get(properties["Id"])
    if endpoint is None:
        yield f"#/Id: there is no VPC endpoint {properties['Id']}"
    elif endpoint["ServiceName"] != services[0]["EndpointServiceName"]:
        yield f"#/Id: {properties['Id']} is not an endpoint of {services[0]['EndpointServiceName']}"


def _unparsable(where: str, parse: Callable[[str], Any], text: str) -> Iterator[str]:
    try:
        parse(text)
    except ValueError as error:
        yield f"{where}: {error}"


_ADDRESSES: dict[str, Callable[[str], Any]] = {
    "CIDRBlock": ipaddress.ip_network,
    "IPAddress": ipaddress.ip_address,
    "AwsSecurityGroup": str,
}
_RULES: dict[str, Callable[[Properties], Iterator[str]]] = {
    "MongoDB::Atlas::DatabaseUser": _database_user,
    "MongoDB::Atlas::ProjectIpAccessList": _access_list,
    "MongoDB::Atlas::NetworkContainer": _network_container,
    "MongoDB::Atlas::NetworkPeering": _network_peering,
    "MongoDB::Atlas::PrivateEndpointService": lambda _: iter(()),
    "MongoDB::Atlas::PrivateEndpointAWS": _private_endpoint,
}


# What Fn::GetAtt gives


def _object_id() -> str:
    return uuid.uuid4().hex[:24]


def _peering_attributes(properties: Properties) -> dict[str, Any]:
    """Atlas asks for the peering; the owner of the VPC has yet to accept it, as in AWS."""
    request = {"VpcId": ["vpc-0a71a5"], "PeerVpcId": [properties["VpcId"]]}
    _, _, body = ec2._create_vpc_peering_connection(request)
    text = body.decode() if isinstance(body, bytes) else body
    found = re.search("<vpcPeeringConnectionId>(.*?)<", text)
    if found is None:
        raise ValueError(text)
    return {"Id": _object_id(), "StatusName": "PENDING_ACCEPTANCE", "ConnectionId": found[1]}


def _service_attributes(_: Properties) -> dict[str, Any]:
    service = f"com.amazonaws.vpce.{get_region()}.vpce-svc-{uuid.uuid4().hex[:17]}"
    return {"Id": _object_id(), "EndpointServiceName": service, "Status": "AVAILABLE"}


_ATTRIBUTES: dict[str, Callable[[Properties], dict[str, Any]]] = {
    "MongoDB::Atlas::DatabaseUser": lambda properties: {
        "UserCFNIdentifier": f"{properties['Username']}-{properties['ProjectId']}"
    },
    "MongoDB::Atlas::ProjectIpAccessList": lambda properties: {
        "TotalCount": len(properties["AccessList"])
    },
    "MongoDB::Atlas::NetworkContainer": lambda _: {"Id": _object_id()},
    "MongoDB::Atlas::NetworkPeering": _peering_attributes,
    "MongoDB::Atlas::PrivateEndpointService": _service_attributes,
    "MongoDB::Atlas::PrivateEndpointAWS": lambda properties: {
        "InterfaceEndpointId": properties["Id"],
        "ConnectionStatus": "AVAILABLE",
        "DeleteRequested": False,
    },
}
