"""`make deploy` refuses the README's examples before anything is built, and nothing else."""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests.conftest import Baker
from tests.support.baking import TEMPLATE, BakedProject, bake
from tests.support.here import HERE, NEEDS_A_SHELL
from tests.support.local_aws import LocalAws
from tests.support.templates import set_up

pytestmark = NEEDS_A_SHELL

SAM = TEMPLATE / ".tools/sam/bin/sam"
HOST = "cluster0.x7k2p.mongodb.net"
MAKE = ("make", "--silent", "--old-file=.venv", "--old-file=node_modules", "RUN=", "deploy")
SERVICE = "com.amazonaws.vpce.us-east-1.vpce-svc-0123456789abcdef0"


@pytest.mark.parametrize("iac", ["sam", "cdk"])
@pytest.mark.parametrize(
    "example",
    [
        "ClusterHost=cluster0.ab1cd.mongodb.net",
        "ClusterHost=cluster0-pl-0.ab1cd.mongodb.net",
        f"EndpointServiceName={SERVICE}",
        f"ParameterKey=EndpointServiceName,ParameterValue={SERVICE}",
    ],
)
def test_refuses_the_examples(example: str, iac: str, baked: Baker) -> None:
    project = baked(iac=iac)

    done = project.run(*MAKE, f"parameters=ReservedConcurrency=7 {example}", check=False)

    assert done.returncode == 2
    said = [line for line in done.stderr.splitlines() if not line.startswith("make: ***")]
    assert said == [f"{example} is an example of README.md: give your own value."]
    assert BakedProject(project.path, project.answers).contents == project.contents


def test_refuses_the_examples_in_cdk_json(tmp_path: Path) -> None:
    project = bake(tmp_path, iac="cdk")
    set_up(project, "staging", ClusterHost=HOST, EndpointServiceName=SERVICE)

    done = project.run(*MAKE, check=False)

    said = done.stderr.splitlines()[0]
    assert said == f"EndpointServiceName={SERVICE} is an example of README.md: give your own value."


DEFAULT = """
version = 0.1
[default.deploy.parameters]
resolve_s3 = true
capabilities = "CAPABILITY_NAMED_IAM"
stack_name = "{stack}"
region = "us-east-1"
"""
TOPIC = "arn:aws:sns:us-east-1:123456789012:on call"  # with a space, which AWS judges
GIVEN = {"ClusterHost": HOST}
ALL = {"ClusterHost": HOST, "AlarmTopicArn": TOPIC}
# Of each way to say parameters: what samconfig has, the `parameters` of make, and what arrives.
SAYING: dict[str, tuple[str, str, dict[str, str]]] = {
    "text": (f"{DEFAULT}parameter_overrides = 'ClusterHost={HOST}'", "", GIVEN),
    "quoted": (
        f"{DEFAULT}parameter_overrides = 'ClusterHost={HOST} AlarmTopicArn=\"{TOPIC}\"'",
        "",
        ALL,
    ),
    "keys and values": (
        f"{DEFAULT}parameter_overrides = 'ParameterKey=ClusterHost,ParameterValue={HOST}'",
        "",
        GIVEN,
    ),
    "list": (f"{DEFAULT}parameter_overrides = ['ClusterHost={HOST}']", "", GIVEN),
    "table": (f"{DEFAULT}parameter_overrides = {{ ClusterHost = '{HOST}' }}", "", GIVEN),
    "global": (
        f"{DEFAULT}[default.global.parameters]\nparameter_overrides = 'ClusterHost={HOST}'",
        "",
        GIVEN,
    ),
    "by make": (DEFAULT, f"ClusterHost={HOST} AlarmTopicArn='\"{TOPIC}\"'", ALL),
    "by make, keys and values": (
        DEFAULT,
        f"ParameterKey=ClusterHost,ParameterValue={HOST}",
        GIVEN,
    ),
    "by make, twice": (DEFAULT, f"ClusterHost=first.x7k2p.mongodb.net ClusterHost={HOST}", GIVEN),
}


class Desk:
    """Somebody's machine, with the SAM CLI and a project whose code isn't built to deploy it."""

    def __init__(self, folder: Path, config: str) -> None:
        self.project = bake(folder, **HERE, network="public")
        self.config = self.project.path / "samconfig.toml"
        self.config.write_text(config, "utf-8")
        self._bin = folder / "bin"
        self._bin.mkdir()
        program = self._bin / "sam"
        program.write_text(f'#!/bin/sh\n[ "$1" = build ] || exec {SAM} "$@"\n')
        program.chmod(0o755)

    def deploy(self, parameters: str, environment: Mapping[str, str]) -> str:
        """Run `make deploy`, and return the last that it says if it fails."""
        path = f"{self._bin}{os.pathsep}{os.environ['PATH']}"
        command = [*MAKE, *([f"parameters={parameters}"] if parameters else [])]
        environment = {**environment, "PATH": path, "SAM_CLI_TELEMETRY": "0"}
        done = self.project.run(*command, env=environment, check=False)
        assert "Traceback" not in done.stdout + done.stderr
        lines = [line for line in done.stderr.splitlines() if not line.startswith("make: ***")]
        return lines[-1] if done.returncode else ""


def parameters_of(stack: str, aws: LocalAws) -> dict[str, str]:
    [found] = aws.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    return {it["ParameterKey"]: it["ParameterValue"] for it in found["Parameters"]}


@pytest.mark.slow
@pytest.mark.parametrize("saying", SAYING)
def test_takes_what_the_sam_cli_takes(saying: str, aws: LocalAws, tmp_path: Path) -> None:
    config, parameters, expected = SAYING[saying]
    stack = f"orders-{list(SAYING).index(saying)}"
    desk = Desk(tmp_path, config.replace("{stack}", stack))

    assert desk.deploy(parameters, aws.environment) == ""

    assert parameters_of(stack, aws).items() >= expected.items()


@pytest.mark.slow
def test_takes_a_configuration_in_yaml(aws: LocalAws, tmp_path: Path) -> None:
    config = {"version": 0.1, **tomllib.loads(DEFAULT.replace("{stack}", "yaml"))}
    config["default"]["global"] = {"parameters": {"parameter_overrides": f"ClusterHost={HOST}"}}
    desk = Desk(tmp_path, "")
    desk.config.unlink()
    desk.config.with_suffix(".yaml").write_text(yaml.safe_dump(config), "utf-8")

    assert desk.deploy("", aws.environment) == ""

    assert parameters_of("yaml", aws)["ClusterHost"] == HOST


NOBODY = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE")


@pytest.mark.slow
def test_takes_the_profile_of_the_configuration(aws: LocalAws, tmp_path: Path) -> None:
    desk = Desk(tmp_path, f'{DEFAULT.replace("{stack}", "profile")}profile = "work"\n')
    keys = tmp_path / "credentials"
    names = ("aws_access_key_id", "aws_secret_access_key")
    lines = [f"{name} = {aws.environment[name.upper()]}\n" for name in names]
    keys.write_text(f"[work]\n{''.join(lines)}", "utf-8")
    environment = {name: it for name, it in aws.environment.items() if name not in NOBODY}
    environment |= {"AWS_SHARED_CREDENTIALS_FILE": str(keys)}

    assert desk.deploy(f"ClusterHost={HOST}", environment) == ""

    assert parameters_of("profile", aws)["ClusterHost"] == HOST


@pytest.mark.slow
def test_the_sam_cli_says_what_is_missing(aws: LocalAws, tmp_path: Path) -> None:
    """In a line that names it: credentials, a parameter, a section that was renamed."""
    desk = Desk(tmp_path, DEFAULT.replace("{stack}", "missing"))
    nobody = dict.fromkeys(NOBODY[:3], "") | {"AWS_EC2_METADATA_DISABLED": "true"}
    nobody |= {"HOME": str(tmp_path)}
    assert desk.deploy(f"ClusterHost={HOST}", nobody) == "Error: Unable to locate credentials"
    assert re.search("Parameter.*ClusterHost", desk.deploy("", aws.environment))

    desk.config.write_text(DEFAULT.replace("[default.", "[production."), "utf-8")
    assert "--stack-name" in desk.deploy(f"ClusterHost={HOST}", aws.environment)
