"""`make deploy`: what can't work is refused in a sentence, before anything is built."""

import os
from pathlib import Path

import pytest

from tests.conftest import Baker
from tests.support.baking import TEMPLATE, BakedProject, bake
from tests.support.local_aws import LocalAws

AWS = TEMPLATE / ".tools/aws/bin"
HOST = "ClusterHost=cluster0.x7k2p.mongodb.net"


def deploy(project: BakedProject, parameters: str = "", **environment: str) -> list[str]:
    """The lines that a refused `make deploy` says; nothing must be built."""
    before = project.contents
    skipped = ("--old-file=.venv", "--old-file=node_modules", "RUN=")
    path = f"{AWS}{os.pathsep}{os.environ['PATH']}"
    command = ["make", "--silent", *skipped, "deploy", f"parameters={parameters}"]
    done = project.run(*command, env={"PATH": path, **environment}, check=False)
    assert done.returncode == 2
    assert BakedProject(project.path, project.answers).contents == before
    return [line for line in done.stderr.splitlines() if not line.startswith("make: ***")]


@pytest.mark.slow
@pytest.mark.parametrize("iac", ["sam", "cdk"])
def test_refuses_to_deploy_without_credentials(iac: str, tmp_path: Path) -> None:
    project = bake(tmp_path, iac=iac)
    nobody = {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}
    nobody |= {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": ""}

    [sentence] = deploy(project, HOST, **nobody)

    assert sentence.startswith("AWS takes no credentials from here, sign in with the AWS CLI: ")
    assert "Unable to locate credentials" in sentence


@pytest.mark.slow
@pytest.mark.parametrize("iac", ["sam", "cdk"])
def test_refuses_the_examples_and_a_first_deploy_without_parameters(
    iac: str, aws: LocalAws, baked: Baker
) -> None:
    project = baked(iac=iac)
    service = "EndpointServiceName=com.amazonaws.vpce.us-east-1.vpce-svc-0123456789abcdef0"
    for example in ("ClusterHost=cluster0.ab1cd.mongodb.net", service):
        said = deploy(project, f"{HOST} {example}", **aws.environment)
        assert said == [f"{example} is the example of README.md: give your own."]
    for given, missing in ((HOST, ""), ("", "ClusterHost=… ")):
        said = deploy(project, given, **aws.environment)
        parameters = f"{missing}EndpointServiceName=…"
        assert said == [f'The first deploy needs parameters: make deploy parameters="{parameters}"']


@pytest.mark.slow
def test_counts_what_is_in_samconfig(aws: LocalAws, tmp_path: Path) -> None:
    project = bake(tmp_path, network="nat")
    config = project.path / "samconfig.toml"
    text = config.read_text("utf-8")
    example = '# parameter_overrides = "ClusterHost=cluster0.ab1cd.mongodb.net"'
    assert example in text
    config.write_text(text.replace(example, example[2:]), "utf-8")

    [sentence] = deploy(project, **aws.environment)
    assert sentence.startswith("ClusterHost=cluster0.ab1cd.mongodb.net is the example")

    config.write_text(text.replace(example, f'parameter_overrides = ["{HOST}"]'), "utf-8")
    path = f"{AWS}{os.pathsep}{os.environ['PATH']}"
    done = project.run("python", "scripts/preflight.py", env={**aws.environment, "PATH": path})
    assert done.stdout + done.stderr == ""
