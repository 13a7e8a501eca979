"""The network of every SAM template, and what it refuses, by what a deploy would make of it."""

import json
import re
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import Baker, Expand
from tests.support.atlas_control_plane import parse
from tests.support.baking import OPTIONS, PAIRED, TEMPLATE, combinations
from tests.support.cloudformation import Plan, RefusedError, plan
from tests.support.effects import effects
from tests.support.local_aws import LocalAws
from tests.support.parameters import ADMIN_SECRET, PRIVATE, existing_vpc, required, scenarios

Answers = dict[str, str]

MATRIX = combinations("auth", "network", "atlas_setup")
EVERY = [*MATRIX, *(it for it in PAIRED if it.values[0]["iac"] == "sam")]
WITH_VPC = [it for it in MATRIX if it.values[0]["network"] != "public"]

EVERYWHERE = "0.0.0.0/0"
NOWHERE = {"Description": "Nowhere", "IpProtocol": "-1", "CidrIp": "127.0.0.1/32"}


@pytest.fixture
def new_vpc(expanded: Expand, answers: Answers) -> Plan:
    """What a first deploy makes."""
    template = expanded(**answers)
    return plan(template, **required(answers["network"], answers["atlas_setup"]))


@pytest.fixture
def old_vpc(expanded: Expand, answers: Answers) -> Plan:
    """What a first deploy into an existing VPC makes."""
    existing = existing_vpc(answers["auth"], answers["network"])
    values = required(answers["network"], answers["atlas_setup"]) | existing
    return plan(expanded(**answers), **values)


def ref(name: str) -> dict[str, str]:
    return {"Ref": name}


def rule(first: int, last: int, **peer: Any) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": first, "ToPort": last, **peer}


def bare(rule: dict[str, Any]) -> dict[str, Any]:
    return {name: it for name, it in rule.items() if name != "Description"}


# Where the functions may go


def egress(answers: Answers, secrets_manager: Any) -> list[dict[str, Any]]:
    """The rules that the functions' security group must have, and no others."""
    password = answers["auth"] == "password"
    rules = {
        "nat": [rule(27015, 27017, CidrIp=EVERYWHERE), rule(443, 443, CidrIp=EVERYWHERE)],
        "peering": [rule(27015, 27017, CidrIp="192.168.248.0/21")],
        "private-endpoint": [
            rule(1024, 65535, DestinationSecurityGroupId=ref("AtlasEndpointSecurityGroup"))
        ],
    }[answers["network"]]
    if password and answers["network"] in PRIVATE:
        rules.append(rule(443, 443, DestinationSecurityGroupId=secrets_manager))
    return rules


@pytest.mark.parametrize("answers", WITH_VPC)
def test_functions_leave_by_the_chosen_way_only(answers: Answers, new_vpc: Plan) -> None:
    group = new_vpc.of("AWS::EC2::SecurityGroup")["FunctionSecurityGroup"]
    wanted = egress(answers, ref("SecretsManagerEndpointSecurityGroup"))
    assert list(map(bare, group["SecurityGroupEgress"])) == wanted
    for function in new_vpc.of("AWS::Lambda::Function").values():
        assert function["VpcConfig"]["SecurityGroupIds"] == [ref("FunctionSecurityGroup")]


@pytest.mark.parametrize("answers", MATRIX)
def test_nothing_is_open_to_the_world(answers: Answers, new_vpc: Plan) -> None:
    """No way in but from the functions to their endpoints; out to everywhere only with NAT."""
    groups = new_vpc.of("AWS::EC2::SecurityGroup")
    assert not [name for name, group in groups.items() if "SecurityGroupIngress" in group]
    for ingress in new_vpc.of("AWS::EC2::SecurityGroupIngress").values():
        assert ingress["SourceSecurityGroupId"] == ref("FunctionSecurityGroup")
        assert not ingress.keys() & {"CidrIp", "CidrIpv6", "SourcePrefixListId"}
    others = [group for name, group in groups.items() if name != "FunctionSecurityGroup"]
    assert all(group["SecurityGroupEgress"] == [NOWHERE] for group in others)
    assert not new_vpc.of("AWS::EC2::SecurityGroupEgress")
    if answers["network"] != "nat":
        assert EVERYWHERE not in json.dumps([groups, new_vpc.of("AWS::EC2::Route")])
        gateways = ["AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::EIP"]
        assert not new_vpc.of(*gateways)
    for subnet in new_vpc.of("AWS::EC2::Subnet").values():
        assert "MapPublicIpOnLaunch" not in subnet


@pytest.mark.parametrize("answers", WITH_VPC)
def test_endpoints(answers: Answers, new_vpc: Plan) -> None:
    """Atlas's with a private endpoint; Secrets Manager's if there is no other way to a password."""
    endpoints = new_vpc.of("AWS::EC2::VPCEndpoint")
    atlas = answers["network"] == "private-endpoint"
    secrets = answers["auth"] == "password" and answers["network"] in PRIVATE
    assert endpoints.keys() == {
        *(["AtlasEndpoint"] if atlas else []),
        *(["SecretsManagerEndpoint"] if secrets else []),
    }
    for name, endpoint in endpoints.items():
        assert endpoint["VpcEndpointType"] == "Interface"
        assert endpoint["SubnetIds"] == [ref("PrivateSubnetA"), ref("PrivateSubnetB")]
        assert endpoint["SecurityGroupIds"] == [ref(f"{name}SecurityGroup")]
    ingress = new_vpc.of("AWS::EC2::SecurityGroupIngress")
    ports = {it["GroupId"]["Ref"]: (it["FromPort"], it["ToPort"]) for it in ingress.values()}
    expected = {"AtlasEndpoint": (1024, 65535), "SecretsManagerEndpoint": (443, 443)}
    assert ports == {f"{name}SecurityGroup": expected[name] for name in endpoints}
    if atlas:
        service = (
            "com.amazonaws.vpce.us-east-1.vpce-svc-0123456789abcdef0"
            if answers["atlas_setup"] == "cli"
            else {"Fn::GetAtt": ["AtlasPrivateEndpointService", "EndpointServiceName"]}
        )
        assert endpoints["AtlasEndpoint"]["ServiceName"] == service
    if secrets:
        endpoint = endpoints["SecretsManagerEndpoint"]
        assert endpoint["PrivateDnsEnabled"] is True
        [statement] = endpoint["PolicyDocument"]["Statement"]
        assert statement["Action"] == "secretsmanager:GetSecretValue"
        assert statement["Resource"] == ref("DatabaseSecret")


@pytest.mark.parametrize("answers", WITH_VPC)
def test_functions_are_in_two_zones(answers: Answers, new_vpc: Plan) -> None:
    subnets = new_vpc.of("AWS::EC2::Subnet")
    private = ["PrivateSubnetA", "PrivateSubnetB"]
    assert subnets.keys() == {*private, *(["PublicSubnet"] if answers["network"] == "nat" else [])}
    zones = [subnets[name]["AvailabilityZone"] for name in private]
    assert zones == [{"Fn::Select": [index, {"Fn::GetAZs": ""}]} for index in (0, 1)]
    blocks = [json.dumps(subnet["CidrBlock"]) for subnet in subnets.values()]
    assert len(set(blocks)) == len(blocks)
    for function in new_vpc.of("AWS::Lambda::Function").values():
        assert function["VpcConfig"]["SubnetIds"] == [ref(name) for name in private]
    [vpc] = new_vpc.of("AWS::EC2::VPC").values()
    assert vpc["EnableDnsSupport"] is vpc["EnableDnsHostnames"] is True


def routes(planned: Plan) -> dict[str, tuple[Any, ...]]:
    """Of each route: its table, where to, and by what."""
    found = {}
    for name, route in planned.of("AWS::EC2::Route").items():
        [by] = route.keys() - {"RouteTableId", "DestinationCidrBlock"}
        table = route["RouteTableId"]
        where = table if isinstance(table, str) else table["Ref"]
        found[name] = (where, route["DestinationCidrBlock"], by, route[by])
    return found


@pytest.mark.parametrize("answers", WITH_VPC)
def test_routes(answers: Answers, new_vpc: Plan) -> None:
    nat = {
        "PublicRoute": ("PublicRouteTable", EVERYWHERE, "GatewayId", ref("InternetGateway")),
        "PrivateRoute": ("PrivateRouteTable", EVERYWHERE, "NatGatewayId", ref("NatGateway")),
    }
    peering = {
        "AtlasRoute": (
            "PrivateRouteTable",
            "192.168.248.0/21",
            "VpcPeeringConnectionId",
            {"Fn::GetAtt": ["AtlasPeering", "ConnectionId"]},
        )
    }
    cli = answers["atlas_setup"] == "cli"
    wanted = {"nat": nat, "peering": {} if cli else peering, "private-endpoint": {}}
    assert routes(new_vpc) == wanted[answers["network"]]
    associations = new_vpc.of("AWS::EC2::SubnetRouteTableAssociation").values()
    tables = {it["SubnetId"]["Ref"]: it["RouteTableId"]["Ref"] for it in associations}
    assert {tables[name] for name in ("PrivateSubnetA", "PrivateSubnetB")} == {"PrivateRouteTable"}
    assert tables.get("PublicSubnet", "PublicRouteTable") == "PublicRouteTable"


def test_a_peering_is_routed_to_once_it_is_named(expanded: Expand) -> None:
    template = expanded(network="peering", atlas_setup="cli")
    values = required("peering", "cli") | {"PeeringConnectionId": "pcx-0123456789abcdef0"}
    by = ("192.168.248.0/21", "VpcPeeringConnectionId", "pcx-0123456789abcdef0")

    assert routes(plan(template, **values)) == {"AtlasRoute": ("PrivateRouteTable", *by)}

    values |= existing_vpc("iam", "peering")
    first, second = values["RouteTableIdA"], "rtb-0123456789abcdef1"
    assert routes(plan(template, **values)) == {"AtlasRoute": (first, *by)}
    both = routes(plan(template, **values, RouteTableIdB=second))
    assert both == {"AtlasRoute": (first, *by), "AtlasRouteB": (second, *by)}
    assert routes(plan(template, **values, RouteTableIdB=first)) == {"AtlasRoute": (first, *by)}


@pytest.mark.parametrize("answers", [it for it in MATRIX if it.values[0]["network"] == "public"])
def test_public_has_no_network_of_its_own(new_vpc: Plan) -> None:
    types = {resource["Type"] for resource in new_vpc.resources.values()}
    assert not [it for it in types if it.startswith("AWS::EC2::")]
    for function in new_vpc.of("AWS::Lambda::Function").values():
        assert "VpcConfig" not in function


# An existing VPC


@pytest.mark.parametrize("answers", WITH_VPC)
def test_an_existing_vpc_gets_only_what_is_ours(answers: Answers, old_vpc: Plan) -> None:
    vpc = existing_vpc(answers["auth"], answers["network"])
    made = {
        name: resource["Type"].removeprefix("AWS::EC2::")
        for name, resource in old_vpc.resources.items()
        if resource["Type"].startswith("AWS::EC2::")
    }
    wanted = {"FunctionSecurityGroup": "SecurityGroup"}
    if answers["network"] == "private-endpoint":
        wanted |= {
            "AtlasEndpoint": "VPCEndpoint",
            "AtlasEndpointSecurityGroup": "SecurityGroup",
            "AtlasEndpointIngress": "SecurityGroupIngress",
        }
    if answers["network"] == "peering" and answers["atlas_setup"] == "stack":
        wanted["AtlasRoute"] = "Route"
    if "SecretsManagerSecurityGroupId" in vpc:
        wanted["SecretsManagerIngress"] = "SecurityGroupIngress"
        ingress = old_vpc.of("AWS::EC2::SecurityGroupIngress")["SecretsManagerIngress"]
        assert ingress["GroupId"] == vpc["SecretsManagerSecurityGroupId"]
    assert made == wanted
    subnets = [vpc["SubnetIdA"], vpc["SubnetIdB"]]
    for function in old_vpc.of("AWS::Lambda::Function").values():
        assert function["VpcConfig"]["SubnetIds"] == subnets
    for endpoint in old_vpc.of("AWS::EC2::VPCEndpoint").values():
        assert endpoint["SubnetIds"] == subnets
    groups = old_vpc.of("AWS::EC2::SecurityGroup")
    assert {group["VpcId"] for group in groups.values()} == {vpc["VpcId"]}
    rules = list(map(bare, groups["FunctionSecurityGroup"]["SecurityGroupEgress"]))
    assert rules == egress(answers, vpc.get("SecretsManagerSecurityGroupId"))


@pytest.mark.parametrize("answers", WITH_VPC)
def test_nothing_is_left_dangling(new_vpc: Plan, old_vpc: Plan) -> None:
    """Whatever is made refers only to what is made too."""
    for planned in (new_vpc, old_vpc):
        text = json.dumps([planned.resources, planned.outputs])
        names = {
            *re.findall(r'"Ref": "(\w+)"', text),
            *re.findall(r'"Fn::GetAtt": \["(\w+)"', text),
        }
        assert names <= planned.resources.keys()


def test_addresses_of_an_existing_vpc_are_put_out(expanded: Expand) -> None:
    template = expanded(network="nat", atlas_setup="stack")
    values = required("nat", "stack") | existing_vpc("iam", "nat")
    for second, addresses in {
        "": ["203.0.113.10"],
        "203.0.113.10": ["203.0.113.10"],
        "203.0.113.11": ["203.0.113.10", "203.0.113.11"],
    }.items():
        planned = plan(template, **values, NatAddressB=second)
        entries = planned.of("MongoDB::Atlas::ProjectIpAccessList")["AtlasAccessList"]["AccessList"]
        assert [entry["IPAddress"] for entry in entries] == addresses
        output = planned.outputs["NatAddress"]["Value"]
        assert output == ",".join(addresses)


# What is refused before anything is made

BAD = [
    ("ClusterHost", "mongodb+srv://cluster0.ab1cd.mongodb.net", "must be a bare host name"),
    ("ClusterHost", "cluster0.ab1cd.mongodb.net/app", "must be a bare host name"),
    ("ClusterHost", "user:secret@cluster0.ab1cd.mongodb.net", "must be a bare host name"),
    ("ClusterHost", "cluster0.ab1cd.mongodb.net:27017", "must be a bare host name"),
    ("ClusterHost", "Cluster0", "must be a bare host name"),
    ("ClusterHost", "", "must be a bare host name"),
    ("AtlasProjectId", "Project 0", "must be 24 hexadecimal digits"),
    ("AtlasProjectId", "5e2211c17a3e5a48f5497de", "must be 24 hexadecimal digits"),
    ("AtlasProjectId", "5E2211C17A3E5A48F5497DE3", "must be 24 hexadecimal digits"),
    ("AtlasContainerId", "container", "must be 24 hexadecimal digits"),
    ("AtlasClusterName", "my cluster", "must be the name of a cluster"),
    ("AtlasProfile", "cfn/atlas/profile/default", "must be of letters"),
    ("EndpointServiceName", "vpce-svc-0123456789abcdef0", "must be a service name"),
    ("EndpointServiceName", "com.amazonaws.us-east-1.s3", "must be a service name"),
    ("AtlasCidr", "192.168.248.0", "must be a range"),
    ("AtlasCidr", "192.168.248.0/16", "must be a range"),
    ("AtlasCidr", "192.168.256.0/21", "must be a range"),
    ("AtlasCidr", "172.16.0.0/21", "can't overlap"),
    ("AtlasCidr", "8.8.8.0/24", "must be a range"),
    ("VpcCidr", "10.0.0.0/8", "must be"),
    ("VpcCidr", "10.256.0.0/16", "must be"),
    ("VpcCidr", "52.0.0.0/16", "must be"),
    ("VpcCidr", "172.32.0.0/16", "must be"),
    ("ExistingVpcCidr", "10.20.0.0", "must be a range"),
    ("PeeringConnectionId", "5e2211c17a3e5a48f5497de3", "must be the ID of a peering connection"),
    ("AvailabilityZoneA", "us-east-1", "must be an Availability Zone"),
    ("AvailabilityZoneB", "use1-az1", "must be an Availability Zone"),
    ("VpcId", "my-vpc", "must be the ID of a VPC"),
    ("SubnetIdA", "vpc-0123456789abcdef0", "must be the ID of a subnet"),
    ("SubnetIdB", "subnet-a,subnet-b", "must be the ID of a subnet"),
    ("RouteTableIdA", "table", "must be the ID of a route table"),
    ("RouteTableIdB", "table", "must be the ID of a route table"),
    ("NatAddressA", "203.0.113", "must be an IPv4 address"),
    ("NatAddressB", "203.0.113.10/32", "must be an IPv4 address"),
    ("SecretsManagerSecurityGroupId", "default", "must be the ID of a security group"),
    ("RotationAdminSecretArn", "atlas-service-account", "must be the whole ARN of a secret"),
    ("RotationAdminSecretArn", f"{ADMIN_SECRET}:SecretString", "must be the whole ARN of a secret"),
    ("RotationAdminSecretArn", ADMIN_SECRET[:-7], "must be the whole ARN of a secret"),
    ("ConnectionOptions", "authMechanism=PLAIN", "must be of srvMaxHosts"),
    ("ConnectionOptions", "srvMaxHosts=3&authSource=app", "must be of srvMaxHosts"),
    ("ConnectionOptions", "maxPoolSize=100", "must be of srvMaxHosts"),
    ("ConnectionOptions", "compressors=zstd", "must be of srvMaxHosts"),
    ("ConnectionOptions", "srvMaxHosts=3&", "must be of srvMaxHosts"),
    ("ConnectionOptions", "readPreferenceTags=a:b", "must be of srvMaxHosts"),
    ("ConnectionOptions", "?srvMaxHosts=3", "must be of srvMaxHosts"),
    ("JwtIssuer", "http://id.example.com", "must be an https URL"),
    ("JwtIssuer", "id.example.com", "must be an https URL"),
    ("JwtIssuer", "", "must be an https URL"),
    ("JwtAudience", "", "must be one audience or more"),
    ("JwtAudience", "orders,", "must be one audience or more"),
    ("JwtAudience", "orders, billing", "must be one audience or more"),
    ("CorsOrigins", "*", "must be https origins"),
    ("CorsOrigins", "http://app.example.com", "must be https origins"),
    ("CorsOrigins", "https://app.example.com/", "must be https origins"),
]


@pytest.mark.parametrize(("name", "value", "reason"), BAD)
def test_a_bad_parameter_is_refused(name: str, value: str, reason: str, expanded: Expand) -> None:
    """By every template that has the parameter, in a sentence that begins with its name."""
    judged = 0
    for combination in EVERY:
        template = expanded(**combination.values[0])
        if name in template["Parameters"]:
            values = scenarios(combination.values[0])["new"] | {name: value}
            with pytest.raises(RefusedError, match=f"^{name}: .*{reason}"):
                plan(template, **values)
            judged += 1
    assert judged


# Source of the keys, and of the type, which no secret has else:
# https://docs.aws.amazon.com/secretsmanager/latest/userguide/mes-partner-MongoDBAtlasDatabaseUser.html
@pytest.mark.parametrize(
    ("network", "host"),
    [
        ("public", "cluster0.ab1cd.mongodb.net"),
        ("peering", "cluster0-pri.ab1cd.mongodb.net"),
        ("private-endpoint", "cluster0-pl-0.ab1cd.mongodb.net"),
        ("private-endpoint", "cluster0-pl-0-lb.ab1cd.mongodb.net"),
    ],
)
def test_a_secret_that_is_rotated_has_the_public_host(
    network: str, host: str, expanded: Expand
) -> None:
    answers = {"auth": "password", "network": network}
    values = scenarios(answers)["new"] | {
        "ClusterHost": host,
        "RotationAdminSecretArn": ADMIN_SECRET,
    }
    with pytest.raises(RefusedError, match=r"^AtlasProjectId is missing\. It must be"):
        plan(expanded(**answers), **values)
    values["AtlasProjectId"] = "5e2211c17a3e5a48f5497de3"
    [secret] = effects(plan(expanded(**answers), **values))["AWS::SecretsManager::Secret"].values()
    assert secret["Type"] == "MongoDBAtlasDatabaseUser"
    assert json.loads(secret["GenerateSecretString"]["SecretStringTemplate"]) == {
        "username": "orders-service",
        "clusterUrl": "cluster0.ab1cd.mongodb.net",
        "databaseName": "admin",
        "groupId": "5e2211c17a3e5a48f5497de3",
    }


@pytest.mark.parametrize("answers", EVERY)
def test_every_parameter_says_what_it_must_be(answers: Answers, expanded: Expand) -> None:
    tested = {name for name, _, _ in BAD}
    for name, parameter in expanded(**answers)["Parameters"].items():
        assert parameter["Description"]
        if name not in ("ReservedConcurrency", "AlarmTopicArn"):
            assert name in tested
            assert parameter["ConstraintDescription"].startswith("must be ")


@pytest.mark.parametrize("answers", EVERY)
def test_a_missing_parameter_is_refused(answers: Answers, expanded: Expand) -> None:
    values = scenarios(answers)["new"]
    for name in values:
        others = {other: value for other, value in values.items() if other != name}
        with pytest.raises(RefusedError, match=f"{name}.*must have values"):
            plan(expanded(**answers), **others)


@pytest.mark.parametrize("answers", WITH_VPC)
def test_an_existing_vpc_must_be_described_in_full(answers: Answers, expanded: Expand) -> None:
    template = expanded(**answers)
    values = required(answers["network"], answers["atlas_setup"])
    vpc = existing_vpc(answers["auth"], answers["network"])
    for name in vpc.keys() - {"VpcId"}:
        with pytest.raises(RefusedError, match=f"^{name} is missing. It must be "):
            plan(template, **values, **{other: vpc[other] for other in vpc if other != name})
        with pytest.raises(RefusedError, match=f"^{name} is given but VpcId is not"):
            plan(template, **values, **{name: vpc[name]})
    with pytest.raises(RefusedError, match="must differ"):
        plan(template, **values, **(vpc | {"SubnetIdB": vpc["SubnetIdA"]}))


def test_zones_are_chosen_both_or_none(expanded: Expand) -> None:
    template = expanded(network="nat", atlas_setup="cli")
    first, second = {"AvailabilityZoneA": "us-east-1c"}, {"AvailabilityZoneB": "us-east-1d"}
    values = required("nat", "cli")
    subnets = plan(template, **values, **first, **second).of("AWS::EC2::Subnet")
    zones = {name: subnet["AvailabilityZone"] for name, subnet in subnets.items()}
    assert zones == {
        "PrivateSubnetA": "us-east-1c",
        "PrivateSubnetB": "us-east-1d",
        "PublicSubnet": "us-east-1c",
    }
    with pytest.raises(RefusedError, match=r"^AvailabilityZoneB is missing\."):
        plan(template, **values, **first)
    with pytest.raises(RefusedError, match=r"^AvailabilityZoneB is given but"):
        plan(template, **values, **second)
    with pytest.raises(RefusedError, match="must differ"):
        plan(template, **values, **first, AvailabilityZoneB="us-east-1c")


@pytest.mark.parametrize("name", ["NatAddressB", "RouteTableIdB"])
def test_what_is_optional_in_an_existing_vpc_needs_one(name: str, expanded: Expand) -> None:
    value = {"NatAddressB": "203.0.113.11", "RouteTableIdB": "rtb-0123456789abcdef0"}[name]
    network = {"NatAddressB": "nat", "RouteTableIdB": "peering"}[name]
    with pytest.raises(RefusedError, match=f"^{name} is given but VpcId is not"):
        plan(expanded(network=network), **required(network, "cli"), **{name: value})


def test_a_new_vpc_and_atlas_never_overlap(expanded: Expand) -> None:
    """Whatever ranges the two patterns accept."""
    parameters = expanded(network="peering")["Parameters"]
    vpc, atlas = (
        re.compile(parameters[name]["AllowedPattern"], re.ASCII)
        for name in ("VpcCidr", "AtlasCidr")
    )
    vpcs = [f"172.{second}.0.0/16" for second in range(256)]
    accepted = [ip_network(it) for it in vpcs if vpc.fullmatch(it)]
    assert len(accepted) == 16

    @settings(max_examples=300, derandomize=True, deadline=None)
    @given(st.from_regex(vpc, fullmatch=True), st.from_regex(atlas, fullmatch=True))
    def check(ours: str, theirs: str) -> None:
        assert ip_network(ours) in accepted
        assert not ip_network(ours).overlaps(ip_network(theirs, strict=False))

    check()


# Atlas's resources in the stack

SCHEMAS = {
    schema["typeName"]: schema
    for schema in (
        json.loads(file.read_text("utf-8"))
        for file in (TEMPLATE / "tests/support/local_aws_extras/atlas_schemas").glob("*.json")
    )
}
STACK = combinations("auth", "network") + [
    pytest.param(
        {"layout": "multi-lambda", "auth": auth, "network": "nat"}, id=f"multi-lambda/{auth}"
    )
    for auth in ("iam", "password")
]


def atlas_resources(planned: Plan) -> dict[str, Any]:
    return {
        name: resource
        for name, resource in planned.resources.items()
        if resource["Type"].startswith("MongoDB::")
    }


@pytest.fixture
def in_stack(expanded: Expand, answers: Answers) -> Plan:
    values = required(answers["network"], "stack")
    return plan(expanded(**answers, atlas_setup="stack"), **values)


@pytest.mark.parametrize("answers", MATRIX)
def test_atlas_is_in_the_stack_if_asked_for(answers: Answers, new_vpc: Plan) -> None:
    types = {
        it["Type"].removeprefix("MongoDB::Atlas::") for it in atlas_resources(new_vpc).values()
    }
    wanted = {
        "private-endpoint": {"DatabaseUser", "PrivateEndpointService", "PrivateEndpointAWS"},
        "peering": {"DatabaseUser", "ProjectIpAccessList", "NetworkPeering"},
        "nat": {"DatabaseUser", "ProjectIpAccessList"},
        "public": {"DatabaseUser", "ProjectIpAccessList"},
    }[answers["network"]]
    assert types == (wanted if answers["atlas_setup"] == "stack" else set())


@pytest.mark.parametrize("answers", STACK)
def test_properties_are_the_publishers(in_stack: Plan) -> None:
    for resource in atlas_resources(in_stack).values():
        schema, properties = SCHEMAS[resource["Type"]], resource["Properties"]
        read_only = {it.removeprefix("/properties/") for it in schema["readOnlyProperties"]}
        assert set(schema["required"]) <= properties.keys()
        assert properties.keys() <= schema["properties"].keys() - read_only
        assert properties["Profile"] == "default"
        assert properties["ProjectId"] == "5e2211c17a3e5a48f5497de3"


@pytest.mark.parametrize("answers", STACK)
def test_database_users_may_use_one_database_of_one_cluster(
    answers: Answers, in_stack: Plan
) -> None:
    users = in_stack.of("MongoDB::Atlas::DatabaseUser")
    for user in users.values():
        assert user["Roles"] == [{"RoleName": "readWrite", "DatabaseName": "app"}]
        assert user["Scopes"] == [{"Type": "CLUSTER", "Name": "Cluster0"}]
    if answers["auth"] == "iam":
        roles = {f["Role"]["Fn::GetAtt"][0] for f in in_stack.of("AWS::Lambda::Function").values()}
        assert {name.replace("DatabaseUser", "ExecutionRole") for name in users} == roles
        for name, user in users.items():
            role = name.replace("DatabaseUser", "ExecutionRole")
            assert user["Username"] == {"Fn::GetAtt": [role, "Arn"]}
            assert (user["AWSIAMType"], user["DatabaseName"]) == ("ROLE", "$external")
            assert "Password" not in user
    else:
        [user] = users.values()
        [secret] = in_stack.of("AWS::SecretsManager::Secret").values()
        assert "Type" not in secret
        generated = secret["GenerateSecretString"]["SecretStringTemplate"]["Fn::Sub"]
        assert json.loads(generated) == {"username": "${AWS::StackName}"}
        assert user["Username"] == {"Ref": "AWS::StackName"}
        assert user["DatabaseName"] == "admin"
        reference = "{{resolve:secretsmanager:${DatabaseSecret}:SecretString:password}}"
        assert user["Password"] == {"Fn::Sub": reference}


@pytest.mark.parametrize("answers", combinations("auth", "network"))
def test_atlas_allows_the_service_and_nothing_else(answers: Answers, in_stack: Plan) -> None:
    lists = in_stack.of("MongoDB::Atlas::ProjectIpAccessList")
    entries = [
        {key: value for key, value in entry.items() if key != "Comment"}
        for it in lists.values()
        for entry in it["AccessList"]
    ]
    assert (
        entries
        == {
            "private-endpoint": [],
            "peering": [{"CIDRBlock": "172.16.0.0/16"}],
            "nat": [{"IPAddress": ref("NatAddress")}],
            "public": [{"CIDRBlock": EVERYWHERE}],
        }[answers["network"]]
    )
    for peering in in_stack.of("MongoDB::Atlas::NetworkPeering").values():
        assert peering["RouteTableCIDRBlock"] == "172.16.0.0/16"
        assert peering["VpcId"] == ref("Vpc")
    for endpoint in in_stack.of("MongoDB::Atlas::PrivateEndpointAWS").values():
        assert endpoint["Id"] == ref("AtlasEndpoint")


@pytest.mark.parametrize("answers", combinations("auth", "network"))
def test_the_bootstrap_activates_exactly_the_types_in_the_stack(
    answers: Answers, baked: Baker, in_stack: Plan
) -> None:
    template = baked(**answers, atlas_setup="stack").parse("atlas-bootstrap.yaml")
    bootstrap = plan(template)
    used = {resource["Type"] for resource in atlas_resources(in_stack).values()}
    activations = bootstrap.of("AWS::CloudFormation::TypeActivation")
    assert {it["TypeName"] for it in activations.values()} == used
    for name in activations:
        others = plan(template, **{f"Activate{name}": "false"})
        assert others.resources.keys() == bootstrap.resources.keys() - {name}


@pytest.mark.parametrize("answers", combinations("auth", "network"))
def test_the_bootstraps_roles_may_do_what_the_types_ask_for(answers: Answers, baked: Baker) -> None:
    bootstrap = plan(baked(**answers, atlas_setup="stack").parse("atlas-bootstrap.yaml"))
    roles = bootstrap.of("AWS::IAM::Role")
    granted = {name: dict(grants(role)) for name, role in roles.items()}
    for activation in bootstrap.of("AWS::CloudFormation::TypeActivation").values():
        assert activation["PublisherId"] == "bb989456c78c398a858fef18f2ca1bfc1fbba082"
        handlers = SCHEMAS[activation["TypeName"]]["handlers"].values()
        asked = {permission for handler in handlers for permission in handler["permissions"]}
        assert granted[activation["ExecutionRoleArn"]["Fn::GetAtt"][0]].keys() == asked
    for grant in granted.values():
        key = grant["secretsmanager:GetSecretValue"]
        assert key.endswith(":${AWS::AccountId}:secret:cfn/atlas/profile/*")
        assert "*" not in grant.values()
    for role in roles.values():
        [trust] = role["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": "resources.cloudformation.amazonaws.com"}
        account = {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
        assert trust["Condition"] == {"StringEquals": account}


def grants(role: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each action that a role may take, and a resource that it may take it on."""
    for policy in role["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            resources = statement["Resource"]
            for resource in resources if isinstance(resources, list) else [resources]:
                yield statement["Action"], resource["Fn::Sub"]


# What the README says

NODES = [
    "AWS::EC2::EIP",
    "AWS::EC2::InternetGateway",
    "AWS::EC2::NatGateway",
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::VPCEndpoint",
]


@pytest.mark.parametrize("answers", MATRIX)
def test_the_diagram_shows_the_resources_there_are(
    answers: Answers, baked: Baker, new_vpc: Plan
) -> None:
    [diagram] = re.findall(
        r"```mermaid\n(.*?)```", baked(**answers).read("docs/network.md"), re.DOTALL
    )
    wanted = set(new_vpc.of(*NODES))
    if answers["network"] == "peering":
        wanted.add("AtlasRoute")
    ending = r"\w+(?:Address|Endpoint|Gateway|Route|Group)\b"
    assert set(re.findall(ending, diagram)) == wanted


PAGES = {page.stem: page.read_text("utf-8") for page in (TEMPLATE / "docs/networks").glob("*.md")}


@pytest.mark.parametrize("network", OPTIONS["network"])
def test_the_page_shows_the_resources_there_are(network: str, expanded: Expand) -> None:
    [diagram] = re.findall(r"```mermaid\n(.*?)```", PAGES[network], re.DOTALL)
    answers = {"network": network, "auth": "password"}
    planned = plan(expanded(**answers), **required(network, "cli"))
    nodes = set(planned.of(*NODES, "AWS::EC2::VPC", "AWS::EC2::Subnet"))
    assert nodes <= set(re.findall(r"\w+", diagram))
    shown = re.findall(r"\b[A-Z]\w+(?:Address|Endpoint|Gateway|Group|Subnet[AB]?)\b", diagram)
    assert set(shown) <= nodes


def test_every_command_for_atlas_is_one_that_its_cli_has(baked: Baker) -> None:
    texts = list(PAGES.values())
    pages = ("README.md", "docs/network.md")
    texts += [baked(**it.values[0]).read(page) for it in MATRIX for page in pages]
    commands = {
        command.split("#")[0].split("|")[0].strip()
        for text in texts
        for command in re.findall(r"(?:^ *|`)(atlas [a-z][^`\n]*)", text, re.MULTILINE)
    }
    groups = {command.split()[1] for command in commands}
    assert groups >= {"accessLists", "networking", "privateEndpoints"}
    for command in commands:
        parse(command.split()[1:])


@pytest.mark.slow
@pytest.mark.parametrize("iac", OPTIONS["iac"])
def test_expanded_templates_pass_cfn_lint(
    iac: str, expanded: Expand, baked: Baker, tmp_path: Path
) -> None:
    """What `sam validate --lint` can't see: the roles and permissions that the transform makes."""
    for combination in MATRIX:
        answers = combination.values[0] | {"iac": iac}
        name, project = "-".join(answers.values()), baked(**answers)
        (tmp_path / f"{name}.json").write_text(json.dumps(expanded(**answers)), "utf-8")
        if "atlas-bootstrap.yaml" in project.files:
            text = project.read("atlas-bootstrap.yaml")
            (tmp_path / f"{name}-bootstrap.yaml").write_text(text, "utf-8")
    files = map(str, sorted(tmp_path.iterdir()))
    warnings = ["--non-zero-exit-code", "warning", "--region", "us-east-1"]
    # SAM's templates say so themselves. L2 constructs depend on roles that they also refer to.
    ignored = [] if iac == "sam" else ["--ignore-checks", "E3006", "W3005"]
    baked().run("cfn-lint", *warnings, *ignored, "--", *files)


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with LocalAws() as account:
        yield account


@pytest.fixture(scope="module")
def vpc(aws: LocalAws) -> dict[str, str]:
    """A VPC with what the stacks use of an existing one, by parameter."""
    return aws.create_vpc()


@pytest.mark.slow
@pytest.mark.parametrize("answers", WITH_VPC)
def test_deploys_into_an_existing_vpc(
    answers: Answers, expanded: Expand, aws: LocalAws, vpc: dict[str, str]
) -> None:
    ec2, name = aws.client("ec2"), "-".join(answers.values())
    network = answers["network"]

    def networks() -> list[int]:
        return [
            len(ec2.describe_vpcs()["Vpcs"]),
            len(ec2.describe_subnets()["Subnets"]),
            len(ec2.describe_route_tables()["RouteTables"]),
        ]

    aws.client("s3").create_bucket(Bucket="bucket")
    aws.client("s3").put_object(Bucket="bucket", Key="code.zip", Body=b"PK\5\6" + bytes(18))
    existing = existing_vpc(answers["auth"], network)
    values = required(network, answers["atlas_setup"]) | existing
    values |= {key: value for key, value in vpc.items() if key in existing}
    before = networks()

    aws.create_stack(name, json.dumps(expanded(**answers)), **values)

    assert networks() == before
    aws.delete_stack(name)


REFUSED: list[tuple[Answers, dict[str, str], str]] = [
    ({}, {"ClusterHost": "mongodb+srv://cluster0.ab1cd.mongodb.net"}, "must be a bare host name"),
    ({"atlas_setup": "stack"}, {"AtlasProjectId": "Project 0"}, "must be 24 hexadecimal digits"),
    ({"network": "peering"}, {"AtlasCidr": "172.16.8.0/21"}, "can't overlap"),
    ({"network": "peering"}, {"VpcCidr": "192.168.0.0/16"}, "no AtlasCidr can overlap"),
    ({}, {"VpcId": "vpc-0123456789abcdef0"}, "SubnetIdA is missing"),
    ({}, {"SubnetIdA": "subnet-0123456789abcdef0"}, "SubnetIdA is given but VpcId is not"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("answers", "values", "reason"), REFUSED, ids=[it[2] for it in REFUSED])
def test_nothing_is_made_of_what_is_refused(
    answers: Answers, values: dict[str, str], reason: str, expanded: Expand, aws: LocalAws
) -> None:
    """CloudFormation itself, as far as the local AWS is it, speaks our words and makes no stack."""
    answers = {"network": "private-endpoint", "atlas_setup": "cli"} | answers
    template = json.dumps(expanded(**answers))
    values = required(answers["network"], answers["atlas_setup"]) | values
    with pytest.raises(ClientError, match=reason):
        aws.create_stack("refused", template, **values)
    stacks = aws.client("cloudformation").list_stacks()["StackSummaries"]
    assert "refused" not in [stack["StackName"] for stack in stacks]
