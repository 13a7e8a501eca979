"""Stacks are made on a local AWS, as CloudFormation would make them, and are gone when they are
deleted.

test_deploy.py deploys some of them by the unmodified SAM and CDK CLIs, and calls them.
"""

import copy
import json
import time
from collections.abc import Callable, Iterator

import pytest
from botocore.exceptions import ClientError

from tests.conftest import Expand
from tests.support.baking import CORE, combinations, stacks
from tests.support.cloudformation import Template
from tests.support.local_aws import LocalAws, StackError
from tests.support.parameters import required

pytestmark = pytest.mark.slow

CODE = {"S3Bucket": "code", "S3Key": "code.zip"}
STACKS: list[dict[str, str]] = [it.values[0] for it in stacks()]
NOTHING_IN_IT = b"PK\5\6" + bytes(18)  # the end of an archive, and all of it


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    """An account with code to deploy."""
    with LocalAws() as account:
        account.client("s3").create_bucket(Bucket=CODE["S3Bucket"])
        account.client("s3").put_object(
            Bucket=CODE["S3Bucket"], Key=CODE["S3Key"], Body=NOTHING_IN_IT
        )
        yield account


def with_code(template: Template) -> Template:
    """Return the template with the code in place, where the CLIs upload it."""
    template = copy.deepcopy(template)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Function":
            resource["Properties"]["Code"] = CODE
    return template


@pytest.mark.parametrize("answers", combinations(*(name for name in CORE if name != "layout")))
def test_becomes_a_stack(
    answers: dict[str, str], expanded: Expand, aws: LocalAws, figure: Callable[[str], None]
) -> None:
    values = required(answers["network"], answers["atlas_setup"])
    took = []
    for layout in (it["layout"] for it in STACKS if answers.items() <= it.items()):
        template = with_code(expanded(**answers, layout=layout))
        start = time.monotonic()
        aws.create_stack(layout, json.dumps(template), **values)
        took.append(f"{layout} {time.monotonic() - start:.1f} s")
        made = aws.resources(layout)
        declared = template["Resources"]
        unconditional = {name for name, it in declared.items() if "Condition" not in it}
        assert unconditional <= made.keys() <= declared.keys()
        aws.delete_stack(layout)
        assert not left(aws), layout
        types = {it["Type"] for it in declared.values() if it["Type"].startswith("MongoDB::")}
        assert not [name for name in types if aws.atlas(name)], layout
    figure(", ".join(took))


def left(aws: LocalAws) -> list[str]:
    """Names of what a stack's deletion should have taken along."""
    ec2 = aws.client("ec2")
    groups = ec2.describe_security_groups()["SecurityGroups"]
    gateways = ec2.describe_nat_gateways()["NatGateways"]
    peerings = ec2.describe_vpc_peering_connections()["VpcPeeringConnections"]
    return [
        *(it["FunctionName"] for it in aws.client("lambda").list_functions()["Functions"]),
        *(it["RoleName"] for it in aws.client("iam").list_roles()["Roles"]),
        *(it["logGroupName"] for it in aws.client("logs").describe_log_groups()["logGroups"]),
        *(it["Name"] for it in aws.client("apigatewayv2").get_apis()["Items"]),
        *(it["Name"] for it in aws.client("secretsmanager").list_secrets()["SecretList"]),
        *(it["AlarmName"] for it in aws.client("cloudwatch").describe_alarms()["MetricAlarms"]),
        *(
            it["DashboardName"]
            for it in aws.client("cloudwatch").list_dashboards()["DashboardEntries"]
        ),
        *(it["VpcId"] for it in ec2.describe_vpcs()["Vpcs"] if not it["IsDefault"]),
        *(it["VpcEndpointId"] for it in ec2.describe_vpc_endpoints()["VpcEndpoints"]),
        *(it["GroupName"] for it in groups if it["GroupName"] != "default"),
        *(it["NatGatewayId"] for it in gateways if it["State"] != "deleted"),
        *(it["AllocationId"] for it in ec2.describe_addresses()["Addresses"]),
        *(it["VpcPeeringConnectionId"] for it in peerings if it["Status"]["Code"] != "deleted"),
    ]


def test_a_stack_that_fails_leaves_nothing(expanded: Expand, aws: LocalAws) -> None:
    """So that a green rehearsal says something."""
    answers = {"network": "public", "atlas_setup": "stack"}
    template = with_code(expanded(**answers))
    template["Resources"]["DatabaseUser"]["Properties"]["Colour"] = "green"
    with pytest.raises(StackError, match=r"DatabaseUser.*\n.*\[Colour\]"):
        aws.create_stack("property", json.dumps(template), **required(*answers.values()))

    template = with_code(expanded(**answers))
    template["Resources"]["Api"]["Type"] = "AWS::ApiGatewayV2::Apy"
    with pytest.raises((StackError, ClientError), match="Apy"):
        aws.create_stack("type", json.dumps(template), **required(*answers.values()))
    assert not left(aws)
