"""scripts/setup_atlas.py of the projects, run against stand-ins for the two CLIs."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Baker
from tests.support import clis
from tests.support.baking import BakedProject, combinations
from tests.support.here import NEEDS_A_SHELL

pytestmark = NEEDS_A_SHELL

MATRIX = combinations("auth", "network")
HOST = "cluster0.ab1cd.mongodb.net"
SERVICE = "com.amazonaws.vpce.us-east-1.vpce-svc-0123456789abcdef0"
ENDPOINT = "vpce-0123456789abcdef0"
PEERING = "pcx-0123456789abcdef0"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:DatabaseSecret"  # noqa: S105
PASSWORD = "correct-horse-battery-staple"  # noqa: S105
ACTIONS = ("create", "update", "accept-vpc-peering-connection")


@dataclass
class Desk:
    """Somebody's machine, with a project and both CLIs, signed in."""

    project: BakedProject
    folder: Path

    @property
    def state(self) -> dict[str, Any]:
        """What the stand-ins know; assign to change it."""
        found: dict[str, Any] = json.loads((self.folder / "state.json").read_text("utf-8"))
        return found

    @state.setter
    def state(self, value: dict[str, Any]) -> None:
        (self.folder / "state.json").write_text(json.dumps(value), "utf-8")

    @property
    def stack(self) -> dict[str, Any]:
        found: dict[str, Any] = self.state["stacks"]["orders-service"]
        return found

    @property
    def calls(self) -> list[list[str]]:
        """Every command line so far, without what only reads."""
        lines = (self.folder / "calls.jsonl").read_text("utf-8").splitlines()
        return [call for call in map(json.loads, lines) if set(call) & set(ACTIONS)]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the script, and forget earlier calls."""
        (self.folder / "calls.jsonl").write_text("")
        return subprocess.run(
            [sys.executable, "scripts/setup_atlas.py", *arguments],
            cwd=self.project.path,
            env={"PATH": str(self.folder / "bin"), "CLIS": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def desk(baked: Baker, tmp_path: Path, answers: dict[str, str]) -> Desk:
    return Desk(baked(**answers), prepare(tmp_path, baked(**answers)))


@pytest.fixture
def at(baked: Baker, tmp_path: Path) -> Callable[..., Desk]:
    """`at(network="nat")`: a desk with such a project."""
    return lambda **answers: Desk(baked(**answers), prepare(tmp_path, baked(**answers)))


def prepare(folder: Path, project: BakedProject) -> Path:
    """Put the stand-ins and a deployed stack there."""
    (folder / "bin").mkdir()
    for name in ("aws", "atlas"):
        program = folder / "bin" / name
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -S {clis.__file__} {name} "$@"\n')
        program.chmod(0o755)
    template = project.parse("template.yaml")
    parameters = {name: it.get("Default", "") for name, it in template["Parameters"].items()}
    parameters |= {"ClusterHost": HOST}
    if "EndpointServiceName" in parameters:
        parameters["EndpointServiceName"] = SERVICE
    values = {
        "DatabaseSecretArn": SECRET,
        "NatAddress": "203.0.113.10",
        "VpcId": "vpc-0123456789abcdef0",
        "VpcCidr": "172.16.0.0/16",
        "AtlasEndpointId": ENDPOINT,
    }
    outputs = {
        name: values.get(name, f"arn:aws:iam::123456789012:role/{name}")
        for name in template["Outputs"]
    }
    stack = {
        "StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/orders-service/1",
        "StackStatus": "CREATE_COMPLETE",
        "Parameters": pairs("Parameter", parameters),
        "Outputs": pairs("Output", outputs),
    }
    strings = {"standardSrv": f"mongodb+srv://{HOST}"}
    state = {
        "signed_in": True,
        "stacks": {"orders-service": stack},
        "secrets": {SECRET: {"username": "orders-service", "password": PASSWORD}},
        "cluster": {"name": "Cluster0", "connectionStrings": strings},
        "users": [],
        "access_list": [{"cidrBlock": "198.51.100.0/24"}],
        "services": [
            {
                "id": "5f4fc14da2b47835a58c63a2",
                "endpointServiceName": SERVICE,
                "status": "AVAILABLE",
            }
        ],
        "containers": [{"regionName": "US_EAST_1", "atlasCidrBlock": "192.168.248.0/21"}],
        "peerings": [],
    }
    (folder / "state.json").write_text(json.dumps(state), "utf-8")
    return folder


def pairs(kind: str, values: dict[str, Any]) -> list[dict[str, str]]:
    return [{f"{kind}Key": name, f"{kind}Value": str(it)} for name, it in values.items()]


def set_pair(stack: dict[str, Any], kind: str, name: str, value: str | None) -> None:
    """Change an output or parameter of the stack, or remove it."""
    others = [it for it in stack[f"{kind}s"] if it[f"{kind}Key"] != name]
    stack[f"{kind}s"] = others + (pairs(kind, {name: value}) if value is not None else [])


@pytest.mark.parametrize("answers", MATRIX)
def test_atlas_admits_the_service_and_nothing_more(desk: Desk, answers: dict[str, str]) -> None:
    done = desk.run("Cluster0")

    assert done.returncode == 0, done.stderr
    users = desk.state["users"]
    for user in users:
        assert user["roles"] == [{"roleName": "readWrite", "databaseName": "app"}]
        assert user["scopes"] == [{"name": "Cluster0", "type": "CLUSTER"}]
    outputs = {it["OutputKey"]: it["OutputValue"] for it in desk.stack["Outputs"]}
    if answers["auth"] == "iam":
        assert [(user["username"], user["awsIAMType"]) for user in users] == [
            (outputs["ExecutionRoleArn"], "ROLE")
        ]
    else:
        assert [(user["username"], user["password"]) for user in users] == [
            ("orders-service", PASSWORD)
        ]
    admitted = {
        "private-endpoint": [],
        "peering": [{"cidrBlock": "172.16.0.0/16"}],
        "nat": [{"ipAddress": "203.0.113.10"}],
        "public": [{"cidrBlock": "0.0.0.0/0"}],
    }[answers["network"]]
    assert desk.state["access_list"] == [{"cidrBlock": "198.51.100.0/24"}, *admitted]
    assert ("WARNING" in done.stdout) == (answers["network"] == "public")

    again = desk.run("Cluster0")
    assert again.returncode == 0, again.stderr
    assert desk.calls == []


def test_every_function_has_its_own_database_user(at: Callable[..., Desk]) -> None:
    desk = at(layout="multi-lambda", network="nat")
    desk.run("Cluster0")
    outputs = {it["OutputKey"]: it["OutputValue"] for it in desk.stack["Outputs"]}
    roles = {value for name, value in outputs.items() if name.endswith("ExecutionRoleArn")}
    assert len(roles) == 5
    assert {user["username"] for user in desk.state["users"]} == roles


@pytest.mark.parametrize("answers", [it for it in MATRIX if it.values[0]["auth"] == "password"])
def test_the_password_is_in_no_command_line_and_no_output(desk: Desk) -> None:
    done = desk.run("Cluster0")

    assert [user["password"] for user in desk.state["users"]] == [PASSWORD]
    calls = (desk.folder / "calls.jsonl").read_text("utf-8")
    assert PASSWORD not in calls + done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("answers", MATRIX)
def test_a_dry_run_shows_the_commands_of_a_run_and_changes_nothing(desk: Desk) -> None:
    before = desk.state
    dry = desk.run("Cluster0", "--dry-run", "--project", "5e2211c17a3e5a48f5497de3")
    assert dry.returncode == 0, dry.stderr
    assert desk.state == before

    desk.run("Cluster0", "--project", "5e2211c17a3e5a48f5497de3")
    shown = [shlex.split(it) for it in dry.stdout.splitlines() if it.startswith(("atlas", "aws"))]
    assert shown
    for command in shown:
        assert command[: command.index("<") if "<" in command else None] in desk.calls
        assert command[0] == "aws" or "--projectId" in command


@pytest.mark.slow
@pytest.mark.parametrize("answers", MATRIX)
def test_rights_that_are_too_wide_or_too_narrow_are_set_right(desk: Desk) -> None:
    desk.run("Cluster0")
    right = desk.state
    wrong = desk.state
    for user in wrong["users"]:
        user["roles"] = [{"roleName": "atlasAdmin", "databaseName": "admin"}]
        user["scopes"] = []
    desk.state = wrong

    done = desk.run("Cluster0")

    assert done.returncode == 0, done.stderr
    assert desk.state == right


def test_private_endpoint_step_by_step(at: Callable[..., Desk]) -> None:
    desk = at(network="private-endpoint")
    first = desk.run("Cluster0")
    assert "Run this again" in first.stdout
    assert desk.state["services"][0]["interfaceEndpoints"] == [ENDPOINT]

    state = desk.state
    state["cluster"]["connectionStrings"]["privateEndpoint"] = [
        {"srvConnectionString": "mongodb+srv://other.mongodb.net", "endpoints": []},
        {
            "srvConnectionString": "mongodb+srv://cluster0-pl-0.ab1cd.mongodb.net",
            "endpoints": [{"endpointId": ENDPOINT}],
        },
    ]
    desk.state = state
    second = desk.run("Cluster0")
    assert desk.calls == []
    assert second.stdout.splitlines()[-1] == (
        "Deploy again, with ClusterHost=cluster0-pl-0.ab1cd.mongodb.net"
    )

    state = desk.state
    stack = state["stacks"]["orders-service"]
    set_pair(stack, "Parameter", "ClusterHost", "cluster0-pl-0.ab1cd.mongodb.net")
    desk.state = state
    assert "uses the private endpoint" in desk.run("Cluster0").stdout


def test_peering_step_by_step(at: Callable[..., Desk]) -> None:
    desk = at(network="peering")
    first = desk.run("Cluster0")
    assert first.stdout.splitlines()[-1] == f"Deploy again, with PeeringConnectionId={PEERING}"
    create, accept = (call for call in desk.calls if "Cluster0" not in call and call[2] != "create")
    assert create[:6] == ["atlas", "networking", "peering", "create", "aws", "--accountId"]
    options = dict(zip(create[5::2], create[6::2], strict=True))
    assert options == {
        "--accountId": "123456789012",
        "--region": "us-east-1",
        "--vpcId": "vpc-0123456789abcdef0",
        "--routeTableCidrBlock": "172.16.0.0/16",
        "--atlasCidrBlock": "192.168.248.0/21",
    }
    assert accept[:3] == ["aws", "ec2", "accept-vpc-peering-connection"]
    assert desk.state["peerings"][0]["statusName"] == "AVAILABLE"

    state = desk.state
    set_pair(state["stacks"]["orders-service"], "Parameter", "PeeringConnectionId", PEERING)
    desk.state = state
    assert "uses the peering" in desk.run("Cluster0").stdout


def test_two_nat_gateways_are_both_admitted(at: Callable[..., Desk]) -> None:
    desk = at(network="nat")
    state = desk.state
    set_pair(state["stacks"]["orders-service"], "Output", "NatAddress", "203.0.113.10,203.0.113.11")
    desk.state = state
    desk.run("Cluster0")
    added = desk.state["access_list"][1:]
    assert added == [{"ipAddress": "203.0.113.10"}, {"ipAddress": "203.0.113.11"}]


def test_another_stack_of_the_project(at: Callable[..., Desk]) -> None:
    desk = at(network="public")
    state = desk.state
    state["stacks"] = {"orders-service-staging": state["stacks"]["orders-service"]}
    desk.state = state
    assert desk.run("Cluster0").returncode == 1
    assert desk.run("Cluster0", "--stack", "orders-service-staging").returncode == 0
    assert len(desk.state["users"]) == 1


def no_stack(state: dict[str, Any]) -> None:
    state["stacks"] = {}


def failed_stack(state: dict[str, Any]) -> None:
    state["stacks"]["orders-service"]["StackStatus"] = "ROLLBACK_COMPLETE"


def signed_out(state: dict[str, Any]) -> None:
    state["signed_in"] = False


def other_cluster(state: dict[str, Any]) -> None:
    state["cluster"]["name"] = "Cluster1"


def other_host(state: dict[str, Any]) -> None:
    state["cluster"]["connectionStrings"]["standardSrv"] = (
        "mongodb+srv://cluster1.ab1cd.mongodb.net"
    )


def no_output(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda state: set_pair(state["stacks"]["orders-service"], "Output", name, None)


def no_service(state: dict[str, Any]) -> None:
    state["services"] = []


def other_range(state: dict[str, Any]) -> None:
    state["containers"][0]["atlasCidrBlock"] = "10.8.0.0/21"


def overlap(state: dict[str, Any]) -> None:
    set_pair(state["stacks"]["orders-service"], "Output", "VpcCidr", "192.168.0.0/16")


HALF_CONFIGURED = [
    ({}, no_stack, "Stack with id orders-service does not exist"),
    ({}, failed_stack, "is in ROLLBACK_COMPLETE: deploy it first"),
    ({}, signed_out, "atlas clusters describe failed: this action requires authentication"),
    ({}, other_cluster, "No cluster named Cluster0 exists"),
    ({}, other_host, f"ClusterHost, {HOST}, is no host of Cluster0"),
    ({}, no_output("ExecutionRoleArn"), "has no output ExecutionRoleArn"),
    ({}, no_output("AtlasEndpointId"), "has no output AtlasEndpointId"),
    ({"auth": "password"}, no_output("DatabaseSecretArn"), "has no output DatabaseSecretArn"),
    ({"network": "nat"}, no_output("NatAddress"), "has no output NatAddress"),
    ({"network": "peering"}, no_output("VpcId"), "has no output VpcId"),
    ({"network": "peering"}, no_output("VpcCidr"), "has no output VpcCidr"),
    ({}, no_service, f"no private endpoint service {SERVICE}"),
    ({"network": "peering"}, other_range, "deploy with AtlasCidr=10.8.0.0/21"),
    ({"network": "peering"}, overlap, "192.168.0.0/16, overlaps AtlasCidr, 192.168.248.0/21"),
]


@pytest.mark.parametrize(
    ("answers", "change", "sentence"),
    [pytest.param(*case, id=case[2].split(", ")[-1]) for case in HALF_CONFIGURED],
)
def test_it_refuses_to_run_half_configured(
    desk: Desk, change: Callable[[dict[str, Any]], None], sentence: str
) -> None:
    """One sentence, and nothing is changed."""
    state = desk.state
    change(state)
    desk.state = state

    done = desk.run("Cluster0")

    assert done.returncode == 1
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert desk.state == state
    assert desk.calls == []


@pytest.mark.parametrize("program", ["aws", "atlas"])
def test_it_says_which_program_is_missing(program: str, at: Callable[..., Desk]) -> None:
    desk = at()
    (desk.folder / "bin" / program).unlink()
    done = desk.run("Cluster0")
    assert done.returncode == 1
    assert done.stderr == f"The program {program} is needed: README.md says where to get it.\n"


def test_the_stand_ins_refuse_what_the_real_programs_refuse(at: Callable[..., Desk]) -> None:
    """So that a call with a wrong option can't pass for a right one."""
    desk = at()
    for line, complaint in {
        "atlas dbusers create --username a --roles b": "unknown flag: --roles",
        "atlas dbusers create --role b": "required flag(s) ['--username'] not set",
        "atlas dbusers make": "unknown command",
        "atlas accessLists create --type cidrBlock": "takes 1 arguments",
        "aws ec2 accept-vpc-peering-connection": "required flag(s)",
    }.items():
        done = subprocess.run(
            line.split(),
            env={**os.environ, "PATH": str(desk.folder / "bin"), "CLIS": str(desk.folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert complaint in done.stderr
