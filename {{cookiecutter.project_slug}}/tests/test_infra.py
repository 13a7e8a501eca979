{%- from 'service.j2' import secret_endpoint, vpc with context -%}
{%- set auth, network = cookiecutter.auth, cookiecutter.network -%}
"""Synthesises the stack and looks at what a deploy would make. Needs Node.js, no AWS account."""

import json
from pathlib import Path

import pytest
from aws_cdk.assertions import Match, Template

from infra.app import make_app
from infra.code import ROOT
{%- if cookiecutter.layout == "multi-lambda" %}
from infra.service import FUNCTIONS
{%- endif %}


def synthesise(folder: Path, **settings: str) -> Template:
    """Return the template. There is none if cdk-nag or the CDK's own validation finds fault."""
    context = json.loads((ROOT / "cdk.json").read_text("utf-8"))["context"]
    context["default"] = context["example"] | settings
    context["aws:cdk:bundling-stacks"] = []  # don't build the code
    [stack] = make_app(context=context, outdir=str(folder)).synth().stacks
    return Template.from_json(stack.template)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """What a deploy makes with few settings."""
    return synthesise(tmp_path_factory.mktemp("cdk.out"))


{% include 'tests/test_infra.py/' ~ cookiecutter.api_auth ~ '.py' %}

def test_functions_hold_no_credentials(template: Template) -> None:
{%- if auth == "password" %}
    variables = {
        "MONGODB_URI": "mongodb+srv://cluster0.ab1cd.mongodb.net/",
        "MONGODB_SECRET_ARN": {"Ref": Match.string_like_regexp("^DatabaseSecret")},
    }
{%- elif auth == "iam" %}
    query = "authMechanism=MONGODB-AWS&authSource=%24external"
    variables = {"MONGODB_URI": f"mongodb+srv://cluster0.ab1cd.mongodb.net/?{query}"}
{%- endif %}
    environment = {"Variables": Match.object_like(variables)}
    template.all_resources_properties("AWS::Lambda::Function", {"Environment": environment})


def test_functions_know_what_options_the_cluster_needs(tmp_path: Path) -> None:
    template = synthesise(tmp_path, ConnectionOptions="srvMaxHosts=3")
    given = {"Variables": Match.object_like({"MONGODB_OPTIONS": "srvMaxHosts=3"})}
    template.all_resources_properties("AWS::Lambda::Function", {"Environment": given})


def test_roles_allow_what_functions_need_and_no_more(template: Template) -> None:
    template.all_resources_properties("AWS::IAM::Role", {"ManagedPolicyArns": Match.absent()})
    allowed: set[str] = set()
    for policy in template.find_resources("AWS::IAM::Policy").values():
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            actions = statement["Action"]
            allowed.update([actions] if isinstance(actions, str) else actions)
    assert allowed == {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "xray:PutTelemetryRecords",
        "xray:PutTraceSegments",
{%- if auth == "password" %}
        "secretsmanager:DescribeSecret",
        "secretsmanager:GetSecretValue",
{%- endif %}
{%- if vpc %}
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
{%- endif %}
    }

{%- if auth == "password" %}


def test_secrets_manager_rotates_the_password_if_it_may(tmp_path: Path, template: Template) -> None:
    template.resource_count_is("AWS::SecretsManager::RotationSchedule", 0)
    admin = "arn:aws:secretsmanager:us-east-1:123456789012:secret:atlas-AbCdEf"
    rotated = synthesise(
        tmp_path,
        RotationAdminSecretArn=admin,
        AtlasProjectId="0123456789abcdef01234567",
{%- if network == "private-endpoint" %}
        ClusterHost="cluster0-pl-0.ab1cd.mongodb.net",
{%- elif network == "peering" %}
        ClusterHost="cluster0-pri.ab1cd.mongodb.net",
{%- endif %}
    )
    metadata = [{"Key": "adminSecretArn", "Value": admin}]
    schedule = {"ExternalSecretRotationMetadata": metadata, "RotateImmediatelyOnUpdate": False}
    rotated.has_resource_properties("AWS::SecretsManager::RotationSchedule", schedule)
    [secret] = rotated.find_resources("AWS::SecretsManager::Secret").values()
    assert secret["Properties"]["Type"] == "MongoDBAtlasDatabaseUser"
    generated = secret["Properties"]["GenerateSecretString"]["SecretStringTemplate"]
    assert json.loads(generated) == {
        "username": "example",
        "clusterUrl": "cluster0.ab1cd.mongodb.net",  # the public host
        "databaseName": "admin",
        "groupId": "0123456789abcdef01234567",
    }
{%- endif %}


def test_the_connections_of_all_functions_are_bounded(tmp_path: Path) -> None:
    template = synthesise(tmp_path, ReservedConcurrency="7")
    bound = {"ReservedConcurrentExecutions": 7}
    template.all_resources_properties("AWS::Lambda::Function", bound)
{%- if cookiecutter.layout == "multi-lambda" %}
    template.resource_count_is("AWS::Lambda::Function", len(FUNCTIONS))
    template.resource_count_is("AWS::IAM::Role", len(FUNCTIONS))
{%- endif %}
{%- if vpc %}


def test_nothing_calls_the_functions_and_they_go_where_they_must(template: Template) -> None:
    placed = {"VpcConfig": {"SubnetIds": Match.any_value(), "SecurityGroupIds": Match.any_value()}}
    template.all_resources_properties("AWS::Lambda::Function", placed)
    closed = {"SecurityGroupIngress": Match.absent()}
    template.all_resources_properties("AWS::EC2::SecurityGroup", closed)
{%- if network == "nat" %}
    template.resource_count_is("AWS::EC2::SecurityGroupIngress", 0)
    template.resource_count_is("AWS::EC2::NatGateway", 1)
{%- elif network in ["private-endpoint", "peering"] %}
    template.resource_count_is("AWS::EC2::InternetGateway", 0)
{%- endif %}


def test_an_existing_vpc_stays_as_it_is(tmp_path: Path) -> None:
    vpc = {
        "VpcId": "vpc-0123456789abcdef0",
        "SubnetIdA": "subnet-0123456789abcdef0",
        "SubnetIdB": "subnet-0123456789abcdef1",
{%- if network == "nat" %}
        "NatAddressA": "203.0.113.10",
{%- elif network == "peering" %}
        "RouteTableIdA": "rtb-0123456789abcdef0",
        "ExistingVpcCidr": "10.20.0.0/16",
{%- endif %}
{%- if secret_endpoint %}
        "SecretsManagerSecurityGroupId": "sg-0123456789abcdef0",
{%- endif %}
    }
    template = synthesise(tmp_path, **vpc)
    template.resource_count_is("AWS::EC2::VPC", 0)
    subnets = [vpc["SubnetIdA"], vpc["SubnetIdB"]]
    placed = {"VpcConfig": Match.object_like({"SubnetIds": subnets})}
    template.all_resources_properties("AWS::Lambda::Function", placed)
{%- endif %}
{%- if cookiecutter.snapstart == "yes" %}


def test_the_api_invokes_versions_that_have_snapshots(template: Template) -> None:
    snapshots = {"SnapStart": {"ApplyOn": "PublishedVersions"}}
    template.all_resources_properties("AWS::Lambda::Function", snapshots)
    alias = {"IntegrationUri": {"Ref": Match.string_like_regexp("Aliaslive")}}
    template.all_resources_properties("AWS::ApiGatewayV2::Integration", alias)
{%- endif %}
{%- if cookiecutter.atlas_setup == "stack" %}


def test_database_users_may_read_and_write_one_database(template: Template) -> None:
    rights = [{"RoleName": "readWrite", "DatabaseName": {{ cookiecutter.__database_name_literal }}}]
    user = {"Roles": rights, "Scopes": [{"Type": "CLUSTER", "Name": "Cluster0"}]}
    template.all_resources_properties("MongoDB::Atlas::DatabaseUser", user)
{%- endif %}


def test_a_bad_setting_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"^ClusterHost must be a bare host name.*\.$"):
        synthesise(tmp_path, ClusterHost="mongodb+srv://cluster0.ab1cd.mongodb.net")
