"""CloudFormation resource types of AWS that ministack lacks, or gets wrong."""

import json
import re
import time
import uuid
from collections.abc import Callable
from typing import Any

from ministack.core.responses import get_account_id, get_region  # type: ignore[import-not-found]
from ministack.services import ec2, lambda_svc, secretsmanager  # type: ignore[import-not-found]
from ministack.services.cloudformation import (  # type: ignore[import-not-found]
    handlers as actions,
)
from ministack.services.cloudformation import provisioners, stacks

from tests.support.local_aws_extras.permissions import allows, role_named_by, service_may_assume

Properties = dict[str, Any]
Provisioned = tuple[str, dict[str, Any]]  # physical id (what Ref gives), attributes
Create = Callable[[str, Properties, str], Provisioned]
Update = Callable[..., Provisioned]  # (physical id, old, new, stack[, logical id])
Delete = Callable[[str, Properties], None]

# Without these Lambda refuses a function in a VPC.
_NETWORK_ACTIONS = (
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DeleteNetworkInterface",
)


def register() -> None:
    """Add to ministack's table of resource types, and wrap what is there."""
    missing: dict[str, dict[str, Any]] = {
        "AWS::EC2::EIP": {
            "create": create_address,
            "update": keep(address_attributes),
            "delete": delete_address,
        },
        "AWS::EC2::NatGateway": {
            "create": create_nat_gateway,
            "update": keep(lambda physical_id: {"NatGatewayId": physical_id}),
            "delete": delete_nat_gateway,
        },
        "AWS::EC2::SecurityGroupIngress": security_group_rule("IpPermissions"),
        "AWS::EC2::SecurityGroupEgress": security_group_rule("IpPermissionsEgress"),
        "AWS::SecretsManager::RotationSchedule": {
            "create": schedule_rotation,
            "update": lambda _, __, new, stack, *___: schedule_rotation("", new, stack),
            "delete": cancel_rotation,
        },
        "AWS::CloudFormation::TypeActivation": {
            "create": activate_type,
            "update": keep(lambda physical_id: {"Arn": physical_id}),
            "delete": deactivate_type,
        },
    }
    actions._ACTION_HANDLERS["DescribeType"] = describe_type
    ec2._ACTION_MAP["DescribeVpcPeeringConnections"] = describe_peerings
    handlers = provisioners._RESOURCE_HANDLERS
    if present := missing.keys() & handlers.keys():
        raise RuntimeError(f"ministack has these resource types itself now: {sorted(present)}")
    handlers.update(missing)
    provisioners._REPLACING_PROPERTIES.update(
        {
            "AWS::EC2::EIP": ("Domain",),
            "AWS::EC2::NatGateway": ("AllocationId", "ConnectivityType", "SubnetId"),
            "AWS::CloudFormation::TypeActivation": ("PublisherId", "TypeName"),
        }
    )
    for name, attributes_of in _MORE_ATTRIBUTES.items():
        handlers[name].update(with_attributes(handlers[name], attributes_of))
    handlers["AWS::Lambda::Function"].update(functions(handlers["AWS::Lambda::Function"]))
    handlers["AWS::Lambda::Version"].update(versions(handlers["AWS::Lambda::Version"]))
    # They run INIT, which asks this server for secrets: it mustn't wait for them.
    blocks = stacks._runs_on_worker_thread
    stacks._runs_on_worker_thread = lambda it: it == "AWS::Lambda::Version" or blocks(it)
    handlers["AWS::SecretsManager::Secret"].update(secrets(handlers["AWS::SecretsManager::Secret"]))
    provisioners._sm_secret_string = secret_string
    provisioners._cw_metric_alarm_record = metric_math(provisioners._cw_metric_alarm_record)


def keep(attributes_of: Callable[[str], dict[str, Any]]) -> Update:
    """An update that has nothing to do: tags aren't kept, and what else changes is replaced."""

    def update(physical_id: str, *_: Any) -> Provisioned:
        return physical_id, attributes_of(physical_id)

    return update


def describe_peerings(request: Properties) -> Any:
    """Heed a filter by ID, for which ministack returns all."""
    wanted = ec2._parse_filters(request).get("vpc-peering-connection-id", [])
    ids = {f"VpcPeeringConnectionId.{number}": [it] for number, it in enumerate(wanted, 1)}
    return ec2._describe_vpc_peering_connections(request | ids)


# Elastic IP addresses and NAT gateways


def create_address(_logical_id: str, properties: Properties, _stack: str) -> Provisioned:
    request = {"Domain": [properties.get("Domain", "vpc")]}
    public_ip = _field(ec2._allocate_address(request), "publicIp")
    return public_ip, address_attributes(public_ip)


def address_attributes(public_ip: str) -> dict[str, Any]:
    [address] = (it for it in ec2._addresses.values() if it["PublicIp"] == public_ip)
    return {name: address[name] for name in ("AllocationId", "PublicIp")}


def delete_address(public_ip: str, _properties: Properties) -> None:
    allocation_id = address_attributes(public_ip)["AllocationId"]
    if any(nat["AllocationId"] == allocation_id for nat in ec2._nat_gateways.values()):
        raise ValueError(f"Address {public_ip} is in use by a NAT gateway")
    ec2._release_address({"AllocationId": [allocation_id]})


def create_nat_gateway(_logical_id: str, properties: Properties, _stack: str) -> Provisioned:
    subnet = ec2._subnets.get(properties["SubnetId"])
    if subnet is None:
        raise ValueError(f"The subnet ID '{properties['SubnetId']}' does not exist")
    if properties.get("ConnectivityType", "public") == "public":
        if properties.get("AllocationId") not in ec2._addresses:
            raise ValueError(f"The allocation ID '{properties.get('AllocationId')}' does not exist")
        if not any(
            attachment["VpcId"] == subnet["VpcId"]
            for gateway in ec2._internet_gateways.values()
            for attachment in gateway["Attachments"]
        ):
            raise ValueError(f"Network {subnet['VpcId']} has no Internet gateway attached")
    request = {
        name: [properties[name]]
        for name in ("SubnetId", "AllocationId", "ConnectivityType")
        if name in properties
    }
    nat_gateway_id = _field(ec2._create_nat_gateway(request), "natGatewayId")
    return nat_gateway_id, {"NatGatewayId": nat_gateway_id}


def delete_nat_gateway(physical_id: str, _properties: Properties) -> None:
    ec2._nat_gateways.pop(physical_id, None)


def _field(response: tuple[int, Any, bytes | str], name: str) -> str:
    """One field of an answer of EC2's interface."""
    status, _, body = response
    text = body.decode() if isinstance(body, bytes) else body
    found = re.search(f"<{name}>([^<]+)</{name}>", text)
    if status >= 400 or found is None:
        raise ValueError(text)
    return found[1]


# Security group rules that are resources of their own


def security_group_rule(direction: str) -> dict[str, Any]:
    """Handlers of one direction, IpPermissions or IpPermissionsEgress."""

    def create(_logical_id: str, properties: Properties, _stack: str) -> Provisioned:
        group = ec2._security_groups.get(properties["GroupId"])
        if group is None:
            raise ValueError(f"The security group '{properties['GroupId']}' does not exist")
        [rule] = provisioners._ec2_sg_permissions([properties])
        if any(ec2._rules_match(rule, other) for other in group[direction]):
            raise ValueError("the specified rule already exists (InvalidPermission.Duplicate)")
        rule["SecurityGroupRuleId"] = f"sgr-{uuid.uuid4().hex[:17]}"
        group[direction].append(rule)
        return rule["SecurityGroupRuleId"], {"Id": rule["SecurityGroupRuleId"]}

    def delete(physical_id: str, properties: Properties) -> None:
        if group := ec2._security_groups.get(properties["GroupId"]):
            group[direction][:] = [
                rule for rule in group[direction] if rule.get("SecurityGroupRuleId") != physical_id
            ]

    def replace(
        physical_id: str, old: Properties, new: Properties, stack: str, *_: Any
    ) -> Provisioned:
        delete(physical_id, old)
        return create(physical_id, new, stack)

    return {"create": create, "update": replace, "delete": delete}


# Types of other publishers


_active_types: set[str] = set()


def activate_type(_logical_id: str, properties: Properties, _stack: str) -> Provisioned:
    """Recorded, for DescribeType only: the types of atlas_types can be used without."""
    name = properties["TypeName"].replace("::", "-")
    arn = f"arn:aws:cloudformation:{get_region()}:{get_account_id()}:type/resource/{name}"
    _active_types.add(name)
    return arn, {"Arn": arn}


def deactivate_type(arn: str, _properties: Properties) -> None:
    _active_types.discard(arn.rpartition("/")[2])


def describe_type(parameters: dict[str, Any]) -> Any:
    """Whether a type is active; who publishes it isn't said, so others aren't known."""
    name = actions._p(parameters, "TypeName")
    if name.replace("::", "-") not in _active_types:
        message = f"The type '{name}' cannot be found."
        return actions._error("TypeNotFoundException", message, 404)
    found = f"<TypeName>{name}</TypeName><IsActivated>true</IsActivated>"
    result = f"<DescribeTypeResult>{found}</DescribeTypeResult>"
    return actions._xml(200, "DescribeTypeResponse", result)


# Wrapped: Fn::GetAtt of the network, Lambda functions and their versions, secrets, alarms


def with_attributes(
    handlers: dict[str, Any], attributes_of: Callable[[str], dict[str, Any]]
) -> dict[str, Any]:
    """Handlers whose resources have more attributes, found by physical id."""

    def extended(handler: Callable[..., Provisioned]) -> Callable[..., Provisioned]:
        def provision(*arguments: Any) -> Provisioned:
            physical_id, attributes = handler(*arguments)
            return physical_id, attributes | attributes_of(physical_id)

        return provision

    return {name: extended(handlers[name]) for name in ("create", "update")}


def _endpoint_attributes(endpoint_id: str) -> dict[str, Any]:
    """As CloudFormation spells DNS names: hosted zone and name, joined by a colon."""
    endpoint = ec2._vpc_endpoints[endpoint_id]
    service = endpoint["ServiceName"].rpartition(".")[2]
    name = f"{endpoint_id}.{service}.{get_region()}.vpce.amazonaws.com"
    interface = endpoint["VpcEndpointType"] == "Interface"
    return {"DnsEntries": [f"Z7HUB22UULQXV:{name}"] if interface else []}


_MORE_ATTRIBUTES: dict[str, Callable[[str], dict[str, Any]]] = {
    "AWS::EC2::VPC": lambda vpc_id: {"CidrBlock": ec2._vpcs[vpc_id]["CidrBlock"]},
    "AWS::EC2::Subnet": lambda subnet_id: {
        name: ec2._subnets[subnet_id][name] for name in ("CidrBlock", "VpcId")
    },
    "AWS::EC2::VPCEndpoint": _endpoint_attributes,
}


def functions(handlers: dict[str, Any]) -> dict[str, Any]:
    """Judge the role as Lambda does; keep VpcConfig and reserved concurrency; end the
    environments of a function with it."""
    create_function: Create = handlers["create"]
    update_function: Update = handlers["update"]
    delete_function: Delete = handlers["delete"]

    def create(logical_id: str, properties: Properties, stack: str) -> Provisioned:
        require_role(properties)
        return configured(create_function(logical_id, properties, stack), properties)

    def update(physical_id: str, old: Properties, new: Properties, *rest: Any) -> Provisioned:
        require_role(new)
        return configured(update_function(physical_id, old, new, *rest), new)

    def configured(function: Provisioned, properties: Properties) -> Provisioned:
        name, attributes = function
        record = lambda_svc._functions[name]
        record["config"]["VpcConfig"] = lambda_svc._vpc_config_with_id(properties.get("VpcConfig"))
        reserved = properties.get("ReservedConcurrentExecutions")
        record["concurrency"] = None if reserved is None else int(reserved)
        return name, attributes

    def delete(physical_id: str, properties: Properties) -> None:
        delete_function(physical_id, properties)
        lambda_svc.invalidate_worker(physical_id)

    return {"create": create, "update": update, "delete": delete}


def versions(handlers: dict[str, Any]) -> dict[str, Any]:
    """A version with SnapStart is made when its snapshot is; without one, it isn't."""

    def published(publish: Callable[..., Provisioned]) -> Callable[..., Provisioned]:
        def publish_and_wait(*arguments: Any) -> Provisioned:
            arn, attributes = publish(*arguments)
            name, number = arn.split(":")[-2:]
            kept = lambda_svc._functions[name]["versions"]
            while kept[number]["config"]["State"] == "Pending":
                time.sleep(0.05)
            if kept[number]["config"]["State"] == "Failed":
                raise ValueError(kept.pop(number)["config"]["StateReason"])
            return arn, attributes

        return publish_and_wait

    return {name: published(handlers[name]) for name in ("create", "update")}


def require_role(properties: Properties) -> None:
    """Refuse a function whose role Lambda can't assume, or can't attach to a VPC with."""
    role = role_named_by(properties["Role"])
    if not service_may_assume(role, "lambda.amazonaws.com"):
        raise ValueError("The role defined for the function cannot be assumed by Lambda.")
    if properties.get("VpcConfig", {}).get("SubnetIds"):
        for action in _NETWORK_ACTIONS:
            if not allows(role["Arn"], action):
                name = action.partition(":")[2]
                raise ValueError(
                    f"The provided execution role does not have permissions to call {name} on EC2"
                )


def secrets(handlers: dict[str, Any]) -> dict[str, Any]:
    """Ref gives a secret's ARN (ministack: its name), which policies and functions are handed."""
    create_secret: Create = handlers["create"]
    update_secret: Update = handlers["update"]
    delete_secret: Delete = handlers["delete"]

    def name_of(arn: str) -> str:
        names = (name for name, it in secretsmanager._secrets.items() if it["ARN"] == arn)
        return next(names, arn)

    def by_arn(secret: Provisioned) -> Provisioned:
        _, attributes = secret
        return attributes["Arn"], attributes

    def update(physical_id: str, *rest: Any) -> Provisioned:
        return by_arn(update_secret(name_of(physical_id), *rest))

    return {
        "create": lambda *arguments: by_arn(create_secret(*arguments)),
        "update": update,
        "delete": lambda physical_id, properties: delete_secret(name_of(physical_id), properties),
    }


# What a secret of an Atlas database user has to hold, and what its rotation has to be allowed:
# https://docs.aws.amazon.com/secretsmanager/latest/userguide/mes-partner-MongoDBAtlasDatabaseUser.html
# https://docs.aws.amazon.com/secretsmanager/latest/userguide/mes-security.html
_ROTATED = {"username", "password", "clusterUrl", "databaseName", "groupId"}
_ROTATION_ACTIONS = (
    "secretsmanager:DescribeSecret",
    "secretsmanager:GetSecretValue",
    "secretsmanager:PutSecretValue",
    "secretsmanager:UpdateSecretVersionStage",
)


def schedule_rotation(_logical_id: str, properties: Properties, _stack: str) -> Provisioned:
    """Keep a schedule if the rotation could work; nothing is rotated, and a secret has no Type."""
    arn, role_arn = properties["SecretId"], properties["ExternalSecretRotationRoleArn"]
    [secret] = (it for it in secretsmanager._secrets.values() if it["ARN"] == arn)
    [current] = (it for it in secret["Versions"].values() if "AWSCURRENT" in it["Stages"])
    if missing := _ROTATED - json.loads(current["SecretString"]).keys():
        raise ValueError(f"The secret lacks {sorted(missing)}")
    metadata = {it["Key"]: it["Value"] for it in properties["ExternalSecretRotationMetadata"]}
    needed = [(action, arn) for action in _ROTATION_ACTIONS]
    needed.append(("secretsmanager:GetSecretValue", metadata["adminSecretArn"]))
    needed.append(("secretsmanager:GetRandomPassword", "*"))
    for action, resource in needed:
        if not allows(role_arn, action, resource):
            raise ValueError(f"The role of the rotation may not {action}")
    secret["RotationRules"], secret["RotationEnabled"] = properties["RotationRules"], True
    return arn, {}


def cancel_rotation(arn: str, _properties: Properties) -> None:
    for secret in secretsmanager._secrets.values():
        if secret["ARN"] == arn:
            secret["RotationEnabled"] = False


def secret_string(properties: Properties) -> str:
    """GenerateSecretString with all its options; ministack knows only some."""
    rules = dict(properties.get("GenerateSecretString", {}))
    if not rules:
        return str(properties.get("SecretString", ""))
    if "SecretString" in properties:
        raise ValueError("A secret has SecretString or GenerateSecretString, not both")
    template, key = (
        rules.pop(name, None) for name in ("SecretStringTemplate", "GenerateStringKey")
    )
    if (template is None) != (key is None):
        raise ValueError("SecretStringTemplate and GenerateStringKey go together")
    status, _, body = secretsmanager._get_random_password(rules)
    if status >= 400:
        raise ValueError(body)
    password = json.loads(body)["RandomPassword"]
    return json.dumps(json.loads(template) | {key: password}) if template else password


def metric_math(
    record_of: Callable[[str, Properties], dict[str, Any]],
) -> Callable[[str, Properties], dict[str, Any]]:
    """Alarms on `Metrics` are kept, never evaluated; ministack refuses them."""
    single = ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Period", "Dimensions")

    def record(name: str, properties: Properties) -> dict[str, Any]:
        metrics = properties.get("Metrics")
        if not metrics:
            return record_of(name, properties)
        if given := [key for key in single if key in properties]:
            raise ValueError(f"An alarm has Metrics or {', '.join(given)}, not both")
        if sum(bool(metric.get("ReturnData", True)) for metric in metrics) != 1:
            raise ValueError("Exactly one element of the metrics list should return data")
        without = {key: value for key, value in properties.items() if key != "Metrics"}
        alarm = record_of(name, without | {"MetricName": "-", "Namespace": "-"})
        return {key: it for key, it in alarm.items() if key not in single} | {"Metrics": metrics}

    return record
