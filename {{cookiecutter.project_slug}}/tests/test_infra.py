{%- set network = cookiecutter.network -%}
{%- set password = cookiecutter.auth == "password" -%}
{%- set atlas = cookiecutter.atlas_setup == "stack" -%}
"""Synthesises the stack and looks at what a deploy would make. Needs Node.js, no AWS account."""

import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk.assertions import Template

from infra.app import make_app
from infra.stack import FUNCTIONS


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """The template. There is none if cdk-nag or the CDK's own validation finds fault."""
    context = json.loads(Path("cdk.json").read_text("utf-8"))["context"]
    context["aws:cdk:bundling-stacks"] = []  # don't build the code
    app = make_app(context=context, outdir=str(tmp_path_factory.mktemp("cdk.out")))
    stack = app.synth().get_stack_by_name("{{ cookiecutter.project_slug }}")
    return Template.from_json(stack.template)


def properties(template: Template, type: str) -> list[dict[str, Any]]:
    """Return the properties of all resources of a type."""
    return [resource["Properties"] for resource in template.find_resources(type).values()]


def test_every_route_asks_for_a_signature(template: Template) -> None:
    template.all_resources_properties("AWS::ApiGatewayV2::Route", {"AuthorizationType": "AWS_IAM"})


def test_each_function_has_its_own_role_log_and_alarms(template: Template) -> None:
    functions = properties(template, "AWS::Lambda::Function")
    assert len(functions) == len(FUNCTIONS)
    assert len({str(function["Role"]) for function in functions}) == len(functions)
    assert len({str(function["LoggingConfig"]) for function in functions}) == len(functions)
    template.resource_count_is("AWS::CloudWatch::Alarm", 4 * len(functions))


def test_roles_may_do_what_functions_need_and_no_more(template: Template) -> None:
    anything = {
        "xray:PutTraceSegments",
        "xray:PutTelemetryRecords",
{%- if network != "public" %}
        "ec2:CreateNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:DeleteNetworkInterface",
        "ec2:AssignPrivateIpAddresses",
        "ec2:UnassignPrivateIpAddresses",
{%- endif %}
    }
    named = {"logs:CreateLogStream", "logs:PutLogEvents"{{ ', "secretsmanager:GetSecretValue"' if password }}}
    for role in properties(template, "AWS::IAM::Role"):
        if "lambda.amazonaws.com" not in str(role["AssumeRolePolicyDocument"]):
            continue
        assert "ManagedPolicyArns" not in role
        [policy] = role["Policies"]
        allowed: dict[str, set[str]] = {"*": set(), "named": set()}
        for statement in policy["PolicyDocument"]["Statement"]:
            actions = statement["Action"]
            target = "*" if "*" in statement["Resource"] else "named"
            allowed[target].update([actions] if isinstance(actions, str) else actions)
        assert allowed == {"*": anything, "named": named}
    template.resource_count_is("AWS::IAM::Policy", 0)


def test_functions_are_told_no_credentials(template: Template) -> None:
    for function in properties(template, "AWS::Lambda::Function"):
        variables = function["Environment"]["Variables"]
{%- if password %}
        assert variables["MONGODB_URI"] == {
            "Fn::Join": ["", ["mongodb+srv://", {"Ref": "ClusterHost"}, "/"]]
        }
        assert variables["MONGODB_SECRET_ARN"] == {"Ref": "DatabaseSecret"}
{%- else %}
        query = "/?authMechanism=MONGODB-AWS&authSource=%24external"
        assert variables["MONGODB_URI"] == {
            "Fn::Join": ["", ["mongodb+srv://", {"Ref": "ClusterHost"}, query]]
        }
{%- endif %}


def test_the_connections_of_all_functions_are_bounded(template: Template) -> None:
    for function in properties(template, "AWS::Lambda::Function"):
        [condition, bound, _] = function["ReservedConcurrentExecutions"]["Fn::If"]
        assert (condition, bound) == ("ReserveConcurrency", {"Ref": "ReservedConcurrency"})
{%- if network != "public" %}


def test_functions_are_in_private_subnets(template: Template) -> None:
    for function in properties(template, "AWS::Lambda::Function"):
        [_, new, existing] = function["VpcConfig"]["SubnetIds"]["Fn::If"]
        assert new == [{"Ref": "PrivateSubnetA"}, {"Ref": "PrivateSubnetB"}]
        assert existing == [{"Ref": "SubnetIdA"}, {"Ref": "SubnetIdB"}]
{%- if network == "nat" %}
    ways_out = {"Properties": {"RouteTableId": {"Ref": "PrivateRouteTable"}}}
    assert set(template.find_resources("AWS::EC2::Route", ways_out)) == {"PrivateRoute"}
    template.has_resource_properties("AWS::EC2::Route", {"NatGatewayId": {"Ref": "NatGateway"}})
{%- else %}
    template.resource_count_is("AWS::EC2::InternetGateway", 0)
{%- endif %}


def test_functions_call_what_they_need_and_nothing_calls_them(template: Template) -> None:
    group = template.find_resources("AWS::EC2::SecurityGroup")["FunctionSecurityGroup"]
    assert "SecurityGroupIngress" not in group["Properties"]
    ingress = properties(template, "AWS::EC2::SecurityGroupIngress")
    assert {"Ref": "FunctionSecurityGroup"} not in [rule["GroupId"] for rule in ingress]
    egress = group["Properties"]["SecurityGroupEgress"]
{%- if network == "nat" %}
    targets = [(rule["FromPort"], rule["ToPort"], rule["CidrIp"]) for rule in egress]
    assert targets == [(27015, 27017, "0.0.0.0/0"), (443, 443, "0.0.0.0/0")]
{%- else %}
    ports = [(rule["FromPort"], rule["ToPort"]) for rule in egress]
    assert ports == [{{ "(1024, 65535)" if network == "private-endpoint" else "(27015, 27017)" }}{{ ", (443, 443)" if password }}]
{%- if network == "private-endpoint" %}
    assert egress[0]["DestinationSecurityGroupId"] == {"Ref": "AtlasEndpointSecurityGroup"}
{%- else %}
    assert egress[0]["CidrIp"] == {"Ref": "AtlasCidr"}
{%- endif %}
{%- endif %}
{%- endif %}
{%- if atlas %}


def test_database_users_may_read_and_write_one_database(template: Template) -> None:
    users = properties(template, "MongoDB::Atlas::DatabaseUser")
    assert len(users) == {{ "1" if password else "len(FUNCTIONS)" }}
    for user in users:
        database = {{ cookiecutter.__database_name_literal }}
        assert user["Roles"] == [{"RoleName": "readWrite", "DatabaseName": database}]
        assert user["Scopes"] == [{"Type": "CLUSTER", "Name": {"Ref": "AtlasClusterName"}}]
{%- endif %}
