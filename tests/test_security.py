"""What every stack allows, opens and says, whichever tool describes it."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Baker, Expand
from tests.support.baking import TEMPLATE, combinations
from tests.support.cloudformation import Plan, Template, plan
from tests.support.parameters import required

pytestmark = pytest.mark.slow

Answers = dict[str, str]

EVERY = combinations()

# Actions that AWS lets nobody narrow down to a resource, and why the functions need them.
ON_ANY_RESOURCE = {
    "xray:PutTraceSegments": "X-Ray has no resource types",
    "xray:PutTelemetryRecords": "X-Ray has no resource types",
    # To Lambda, which checks them when it creates the function, before there is an interface.
    "ec2:AssignPrivateIpAddresses": "Lambda checks it for *",
    "ec2:CreateNetworkInterface": "Lambda checks it for *",
    "ec2:DeleteNetworkInterface": "Lambda checks it for *",
    "ec2:DescribeNetworkInterfaces": "describing has no resources",
    "ec2:DescribeSubnets": "describing has no resources",
    "ec2:UnassignPrivateIpAddresses": "Lambda checks it for *",
}

# Where functions may go in the whole world: by NAT there is no narrower range for Atlas's nodes,
# nor for Secrets Manager.
NAT_EGRESS = [(27015, 27017), (443, 443)]


@pytest.fixture
def template(answers: Answers, expanded: Expand) -> Template:
    return expanded(**answers)


@pytest.fixture
def planned(answers: Answers, template: Template) -> Plan:
    """What a first deploy makes."""
    return plan(template, **required(answers["network"], answers["atlas_setup"]))


def listed(value: Any) -> list[Any]:
    """IAM writes a list of one as its element."""
    return value if isinstance(value, list) else [value]


def statements(node: Any) -> Iterator[dict[str, Any]]:
    """Yield every statement of every policy, wherever it stands."""
    if isinstance(node, list):
        for it in node:
            yield from statements(it)
    elif isinstance(node, dict):
        if "Effect" in node and ("Action" in node or "NotAction" in node):
            yield node
        for it in node.values():
            yield from statements(it)


@pytest.mark.parametrize("answers", EVERY)
def test_statements_name_actions_and_resources(planned: Plan) -> None:
    found = list(statements(planned.resources))
    assert len(found) > 2
    for statement in found:
        assert not statement.keys() & {"NotAction", "NotResource", "NotPrincipal"}
        actions = listed(statement["Action"])
        assert not [action for action in actions if "*" in action], statement
        resources = [json.dumps(it) for it in listed(statement.get("Resource", []))]
        if any("*" in resource for resource in resources):
            assert set(actions) <= ON_ANY_RESOURCE.keys(), statement


@pytest.mark.parametrize("answers", EVERY)
def test_only_lambda_assumes_the_roles(planned: Plan) -> None:
    for role in planned.of("AWS::IAM::Role").values():
        [statement] = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Service": "lambda.amazonaws.com"}
        assert "ManagedPolicyArns" not in role


@pytest.mark.parametrize("answers", EVERY)
def test_only_nat_opens_a_way_to_the_world(answers: Answers, planned: Plan) -> None:
    opened = []
    for name, group in planned.of("AWS::EC2::SecurityGroup").items():
        assert "SecurityGroupIngress" not in group
        for rule in group["SecurityGroupEgress"]:
            if rule.get("CidrIp") == "0.0.0.0/0" or "CidrIpv6" in rule:
                opened.append((name, rule["FromPort"], rule["ToPort"]))
    for rule in planned.of("AWS::EC2::SecurityGroupIngress").values():
        assert not rule.keys() & {"CidrIp", "CidrIpv6", "SourcePrefixListId"}
    expected = NAT_EGRESS if answers["network"] == "nat" else []
    assert opened == [("FunctionSecurityGroup", *ports) for ports in expected]


@pytest.mark.parametrize("answers", EVERY)
def test_every_route_asks_for_a_signature(template: Template) -> None:
    """Each is found in an OpenAPI document, or as a resource."""
    found: list[bool] = []
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::ApiGatewayV2::Route":
            found.append(properties["AuthorizationType"] == "AWS_IAM")
        for methods in properties.get("Body", {}).get("paths", {}).values():
            schemes = properties["Body"]["components"]["securitySchemes"]
            for operation in methods.values():
                [[scheme]] = operation["security"]
                found.append(schemes[scheme]["x-amazon-apigateway-authtype"] == "awsSigv4")
    assert found
    assert all(found)


SECRET = re.compile(r"password|passwd|secret|token|private.?key|api.?key", re.IGNORECASE)


@pytest.mark.parametrize("answers", EVERY)
def test_no_template_holds_or_shows_a_secret(answers: Answers, template: Template) -> None:
    """What is named like one is generated by Secrets Manager, a reference to it, or its name."""
    for name, parameter in template["Parameters"].items():
        assert not SECRET.search(name) or name == "SecretsManagerSecurityGroupId"
        assert "NoEcho" not in parameter
    shown = {name for name in template["Outputs"] if SECRET.search(name)}
    assert shown == ({"DatabaseSecretArn"} if answers["auth"] == "password" else set())
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::SecretsManager::Secret":
            assert "SecretString" not in properties
            assert properties["GenerateSecretString"]["GenerateStringKey"] == "password"
        if resource["Type"] == "AWS::Lambda::Function":
            variables = properties["Environment"]["Variables"]
            assert "{{resolve" not in json.dumps(variables)
            assert "@" not in json.dumps(variables["MONGODB_URI"])
            named = {name for name in variables if SECRET.search(name)}
            assert named <= {"MONGODB_SECRET_ARN"}
        if resource["Type"] == "MongoDB::Atlas::DatabaseUser" and "Password" in properties:
            assert "{{resolve:secretsmanager:" in json.dumps(properties["Password"])


# Checks of checkov that don't fit here, each with the reason. All others must pass.
NOT_FOR_US = {
    "CKV_AWS_111": "write access without constraints: ON_ANY_RESOURCE, and nothing else",
    "CKV_AWS_116": "a dead letter queue: invocations are synchronous, their callers get the error",
    "CKV_AWS_117": "functions in a VPC: all but those of network=public, which is for trials",
    "CKV_AWS_149": "a customer managed key for the secret: AWS's own key costs nothing",
    "CKV_AWS_158": "the same for log groups, which hold no secret",
    "CKV_AWS_173": "the same for environment variables, which hold no secret",
}
# In the stacks that let CloudFormation manage Atlas, and GitHub deploy.
NOT_FOR_OTHERS = {
    "CKV_AWS_109": "permissions management: the roles of stacks make execution roles",
    "CKV_AWS_111": "write access: as CloudFormation checks it, for resources not yet named",
}


def checkov(templates: dict[str, str], folder: Path) -> list[dict[str, Any]]:
    """Return what fails of the templates, without asking any service."""
    for name, text in templates.items():
        (folder / name).write_text(text, "utf-8")
    done = subprocess.run(
        [
            *(TEMPLATE / ".tools/checkov/bin/checkov", "--framework", "cloudformation"),
            *("--directory", folder, "--skip-download", "--compact", "--quiet", "--output", "json"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(done.stdout)
    assert report["summary"]["parsing_errors"] == 0
    failed: list[dict[str, Any]] = report["results"]["failed_checks"]
    return failed


def test_checkov(expanded: Expand, tmp_path: Path, figure: Callable[[str], None]) -> None:
    """Each shape of the stack in SAM, and enough of the CDK's, which test_parity.py compares."""
    shapes = [
        *(it.values[0] for it in combinations("auth", "network", "atlas_setup")),
        *(it.values[0] | {"iac": "cdk", "auth": "password"} for it in combinations("network")),
        {"layout": "multi-lambda"},
    ]
    templates = {f"{'-'.join(it.values())}.json": json.dumps(expanded(**it)) for it in shapes}

    failed = checkov(templates, tmp_path)

    left_out = NOT_FOR_US.keys()
    assert not [it for it in failed if it["check_id"] not in left_out]
    assert {it["check_id"] for it in failed} == left_out, "each is still needed"
    figure(f"{len(shapes)} templates, {len(NOT_FOR_US)} checks left out: {', '.join(left_out)}")


def test_checkov_of_the_other_stacks(baked: Baker, tmp_path: Path) -> None:
    templates = {}
    for network, iac in [("private-endpoint", "sam"), ("peering", "cdk"), ("nat", "sam")]:
        project = baked(network=network, atlas_setup="stack", auth="password", iac=iac)
        for name in ("atlas-bootstrap.yaml", ".github/deploy-role.yaml"):
            templates[f"{network}-{Path(name).name}"] = project.read(name)

    failed = checkov(templates, tmp_path)

    assert {it["check_id"] for it in failed} <= NOT_FOR_OTHERS.keys()
