"""Every network of the CDK's app, deployed to a local AWS by the unmodified CLI, and deleted."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Baker
from tests.support.baking import combinations
from tests.support.local_aws import LocalAws
from tests.support.parameters import PEERING, existing_vpc, required
from tests.support.templates import Synthesis, synthesise
from tests.test_deploy import CDK

pytestmark = pytest.mark.slow

Answers = dict[str, str]

NETWORKS = combinations("auth", "network")
WITH_VPC = [it for it in NETWORKS if it.values[0]["network"] != "public"]


@pytest.fixture(scope="module")
def bootstrapped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """An account that the CDK is prepared for, away from any app."""
    with LocalAws() as aws:
        bootstrap(aws, tmp_path_factory.mktemp("none"))
        yield aws


def bootstrap(aws: LocalAws, folder: Path) -> None:
    """Prepare an account for the CDK, from a folder without an app."""
    command = [*CDK, "bootstrap", f"aws://{aws.account_id}/{aws.region}"]
    subprocess.run(command, cwd=folder, env=os.environ | aws.environment, check=True)


def deploy(synthesis: Synthesis, aws: LocalAws) -> None:
    """Deploy what is synthesised; the code is the source, which nobody calls here."""
    name = synthesis.project.answers["project_slug"]
    app = ("--app", str(synthesis.folder), name)
    command = [*CDK, "deploy", "--require-approval", "never", *app]
    synthesis.project.run(*command, env=aws.environment)
    stack = aws.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    assert stack["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE")


def deploy_and_delete(synthesis: Synthesis, aws: LocalAws) -> None:
    deploy(synthesis, aws)
    aws.delete_stack(synthesis.project.answers["project_slug"])


def networks(aws: LocalAws) -> list[int]:
    """How many VPCs, subnets and so on there are."""
    ec2 = aws.client("ec2")
    return [
        len(ec2.describe_vpcs()["Vpcs"]),
        len(ec2.describe_subnets()["Subnets"]),
        len(ec2.describe_route_tables()["RouteTables"]),
        len(ec2.describe_security_groups()["SecurityGroups"]),
        len(ec2.describe_addresses()["Addresses"]),
        len(ec2.describe_vpc_endpoints()["VpcEndpoints"]),
    ]


@pytest.mark.parametrize("answers", NETWORKS)
def test_makes_and_removes_a_network(
    answers: Answers, syntheses: Callable[..., Synthesis], bootstrapped: LocalAws
) -> None:
    before = networks(bootstrapped)
    synthesis = syntheses("new", answers | {"iac": "cdk", "atlas_setup": "stack"})
    deploy_and_delete(synthesis, bootstrapped)
    assert networks(bootstrapped) == before


@pytest.fixture(scope="module")
def in_existing_vpc(
    baked: Baker, bootstrapped: LocalAws, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Synthesis]:
    """The projects with a VPC, to be deployed into one that is there."""
    vpc = bootstrapped.create_vpc()
    found = {}
    for it in WITH_VPC:
        auth, network = it.values[0]["auth"], it.values[0]["network"]
        settings = required(network, "cli") | existing_vpc(auth, network)
        settings |= {name: value for name, value in vpc.items() if name in settings}
        if network == "peering":
            settings["PeeringConnectionId"] = PEERING
        project = baked(**it.values[0], iac="cdk", atlas_setup="cli")
        found[it.id] = Synthesis(project, settings, tmp_path_factory.mktemp("cdk.out"))
    synthesise(found.values())
    return found


@pytest.mark.parametrize("name", [it.id for it in WITH_VPC])
def test_uses_an_existing_vpc(
    name: str, in_existing_vpc: dict[str, Synthesis], bootstrapped: LocalAws
) -> None:
    before = networks(bootstrapped)
    deploy_and_delete(in_existing_vpc[name], bootstrapped)
    assert networks(bootstrapped) == before
