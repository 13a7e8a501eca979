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
from tests.support.baking import OPTIONS, BakedProject, combinations
from tests.support.cloudformation import unroll
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
    template = unroll(project.parse("template.yaml"))
    values = {
        "ClusterHost": HOST,
        "EndpointServiceName": SERVICE,
        "AtlasCidr": "192.168.248.0/21",
        "DatabaseSecretArn": SECRET,
        "NatAddress": "203.0.113.10",
        "VpcId": "vpc-0123456789abcdef0",
        "VpcCidr": "172.16.0.0/16",
        "AtlasEndpointId": ENDPOINT,
    }
    outputs = {
        name: values.get(name, f"arn:aws:iam::123456789012:role/{name}")
        for name, output in template["Outputs"].items()
        if "Condition" not in output  # which doesn't hold at first
    }
    stack = {
        "StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/orders-service/1",
        "StackStatus": "CREATE_COMPLETE",
        "Outputs": pairs(outputs),
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


def pairs(outputs: dict[str, str]) -> list[dict[str, str]]:
    return [{"OutputKey": name, "OutputValue": it} for name, it in outputs.items()]


def set_output(stack: dict[str, Any], name: str, value: str | None) -> None:
    """Change an output of the stack, or remove it."""
    others = [it for it in stack["Outputs"] if it["OutputKey"] != name]
    stack["Outputs"] = others + (pairs({name: value}) if value is not None else [])


@pytest.mark.parametrize("answers", MATRIX)
def test_atlas_allows_the_service_and_nothing_more(desk: Desk, answers: dict[str, str]) -> None:
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
    allowed = {
        "private-endpoint": [],
        "peering": [{"cidrBlock": "172.16.0.0/16"}],
        "nat": [{"ipAddress": "203.0.113.10"}],
        "public": [{"cidrBlock": "0.0.0.0/0"}],
    }[answers["network"]]
    assert desk.state["access_list"] == [{"cidrBlock": "198.51.100.0/24"}, *allowed]
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


def change(desk: Desk, key: str, **changes: Any) -> None:
    """Change what Atlas has: each of its users, or entries of the access list, and so on."""
    state = desk.state
    state[key] = [it | changes for it in state[key]]
    desk.state = state


def role(name: str, database: str = "app", **more: str) -> dict[str, str]:
    return {"roleName": name, "databaseName": database, **more}


def scope(name: str, kind: str = "CLUSTER") -> dict[str, str]:
    return {"name": name, "type": kind}


# Of a user who may more than it should, less, or something else.
WRONG_RIGHTS: dict[str, dict[str, list[dict[str, str]]]] = {
    "other-role": {"roles": [role("atlasAdmin", "admin")]},
    "further-role": {"roles": [role("readWrite"), role("readWriteAnyDatabase", "admin")]},
    "further-role-first": {"roles": [role("dbAdmin"), role("readWrite")]},
    "further-database": {"roles": [role("readWrite"), role("readWrite", "other")]},
    "other-database": {"roles": [role("readWrite", "other")]},
    "one-collection": {"roles": [role("readWrite", collectionName="items")]},
    "reads-only": {"roles": [role("read")]},
    "no-role": {"roles": []},
    "every-cluster": {"scopes": []},
    "other-cluster": {"scopes": [scope("Cluster1")]},
    "further-cluster": {"scopes": [scope("Cluster0"), scope("Cluster1")]},
    "no-cluster-of-that-name": {"scopes": [scope("Cluster0", "DATA_LAKE")]},
}


@pytest.mark.slow  # for their number
@pytest.mark.parametrize(
    ("wrong", "auth"), [*((it, "iam") for it in WRONG_RIGHTS), ("further-role", "password")]
)
def test_rights_that_are_too_wide_or_too_narrow_are_set_right(
    wrong: str, auth: str, at: Callable[..., Desk]
) -> None:
    desk = at(auth=auth)
    desk.run("Cluster0")
    right = desk.state
    change(desk, "users", **WRONG_RIGHTS[wrong])

    done = desk.run("Cluster0")

    assert done.returncode == 0, done.stderr
    assert desk.state == right


@pytest.mark.parametrize("auth", OPTIONS["auth"])
def test_other_users_are_left_alone(auth: str, at: Callable[..., Desk]) -> None:
    """Also one of the same name that signs in another way."""
    desk = at(auth=auth)
    desk.run("Cluster0")
    state = desk.state
    other = {"admin": "$external", "$external": "admin"}[state["users"][0]["databaseName"]]
    rights = {"roles": [role("atlasAdmin", "admin")], "scopes": []}
    others = [
        state["users"][0] | rights | {"databaseName": other, "awsIAMType": "NONE"},
        state["users"][0] | rights | {"username": "somebody"},
    ]
    state["users"] = others
    desk.state = state

    done = desk.run("Cluster0")

    assert done.returncode == 0, done.stderr
    assert desk.state["users"][:2] == others
    assert len(desk.state["users"]) == 3


@pytest.mark.parametrize("kind", ["USER", "NONE"])
def test_a_user_of_another_type_has_to_be_deleted(kind: str, at: Callable[..., Desk]) -> None:
    """As the Atlas CLI can't change the type: nothing is changed before."""
    desk = at(layout="multi-lambda")
    desk.run("Cluster0")
    state = desk.state
    state["users"] = [state["users"][-1] | {"awsIAMType": kind}]
    desk.state = state

    done = desk.run("Cluster0")

    assert done.returncode == 1
    arn = state["users"][0]["username"]
    assert done.stderr == (
        f"The user {arn} isn't for an IAM role: "
        f"run this again after atlas dbusers delete {arn} --authDB '$external'\n"
    )
    assert desk.state == state


ADDRESSES = {"peering": "172.16.0.0/16", "nat": "203.0.113.10", "public": "0.0.0.0/0"}


@pytest.mark.parametrize("network", ADDRESSES)
def test_an_entry_of_the_access_list_is_left_as_it_is(
    network: str, at: Callable[..., Desk]
) -> None:
    """Whoever made it, and if it is temporary, that is said."""
    desk = at(network=network)
    desk.run("Cluster0")
    change(desk, "access_list", comment="ours")
    before = desk.state

    assert "deletes" not in desk.run("Cluster0").stdout
    assert (desk.state, desk.calls) == (before, [])

    change(desk, "access_list", deleteAfterDate="2026-12-01T00:00:00Z")
    done = desk.run("Cluster0")
    assert desk.calls == []
    assert (
        f"WARNING: Atlas will delete the entry {ADDRESSES[network]} of the IP access list at "
        "2026-12-01T00:00:00Z. Delete it now, and run this again.\n"
    ) in done.stdout


def test_an_entry_of_another_type_is_none(at: Callable[..., Desk]) -> None:
    desk = at(network="nat")
    state = desk.state
    state["access_list"] = [
        {"awsSecurityGroup": "sg-0123456789abcdef0"},
        {"cidrBlock": "203.0.113.10/31"},
    ]
    desk.state = state
    desk.run("Cluster0")
    assert desk.state["access_list"] == [*state["access_list"], {"ipAddress": "203.0.113.10"}]


@pytest.mark.parametrize("auth", OPTIONS["auth"])
def test_a_temporary_user_is_told_of(auth: str, at: Callable[..., Desk]) -> None:
    desk = at(auth=auth)
    assert "WARNING" not in desk.run("Cluster0").stdout
    change(desk, "users", deleteAfterDate="2026-12-01T00:00:00Z")
    [user] = desk.state["users"]
    done = desk.run("Cluster0")
    assert desk.calls == []
    assert (
        f"WARNING: Atlas will delete the database user {user['username']} at 2026-" in done.stdout
    )


def test_private_endpoint_step_by_step(at: Callable[..., Desk]) -> None:
    desk = at(network="private-endpoint")
    first = desk.run("Cluster0")
    assert "Run this again" in first.stdout
    assert desk.state["services"][0]["interfaceEndpoints"] == [ENDPOINT]

    other = {"id": "5f4fc14da2b47835a58c63a3", "interfaceEndpoints": [ENDPOINT]}
    state = desk.state
    state["services"] = [other, state["services"][0] | {"interfaceEndpoints": ["vpce-1"]}]
    desk.state = state
    desk.run("Cluster0")
    assert [call[-1] for call in desk.calls] == [ENDPOINT]
    assert ENDPOINT in desk.state["services"][1]["interfaceEndpoints"]

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
    set_output(stack, "ClusterHost", "cluster0-pl-0.ab1cd.mongodb.net")
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
    set_output(state["stacks"]["orders-service"], "PeeringConnectionId", PEERING)
    desk.state = state
    assert "uses the peering" in desk.run("Cluster0").stdout


# What is done and said of a peering in each state.
# https://github.com/mongodb/mongodb-atlas-cli, tools/internal/specs/spec.yaml,
# AwsNetworkPeeringConnectionSettings
DEPLOY = f"with PeeringConnectionId={PEERING}"
PEERINGS = {
    "INITIATING": ([], DEPLOY),
    "PENDING_ACCEPTANCE": (["accept-vpc-peering-connection"], DEPLOY),
    "FINALIZING": ([], DEPLOY),
    "AVAILABLE": ([], DEPLOY),
    "FAILED": (["create", "accept-vpc-peering-connection"], DEPLOY),
    "TERMINATING": (["create", "accept-vpc-peering-connection"], DEPLOY),
}


@pytest.mark.slow  # for their number
@pytest.mark.parametrize("status", PEERINGS)
def test_a_peering_in_each_state(status: str, at: Callable[..., Desk]) -> None:
    desk = at(network="peering")
    desk.run("Cluster0")
    change(desk, "peerings", statusName=status, connectionId="pcx-1")
    if status not in ("FAILED", "TERMINATING"):
        change(desk, "peerings", connectionId=PEERING)
    calls, said = PEERINGS[status]

    done = desk.run("Cluster0")

    assert [action for call in desk.calls for action in ACTIONS if action in call] == calls
    assert said in done.stdout.splitlines()[-1]


def test_a_peering_that_has_no_id_yet_is_waited_for(at: Callable[..., Desk]) -> None:
    desk = at(network="peering")
    desk.run("Cluster0")
    change(desk, "peerings", statusName="INITIATING", connectionId=None)
    assert desk.run("Cluster0").stdout.splitlines()[-1].endswith("Run this again to accept it.")
    assert desk.calls == []


def test_another_vpc_s_peering_is_none(at: Callable[..., Desk]) -> None:
    desk = at(network="peering")
    desk.run("Cluster0")
    change(desk, "peerings", vpcId="vpc-0123456789abcdef1", connectionId="pcx-1")
    desk.run("Cluster0")
    assert [it["vpcId"] for it in desk.state["peerings"]] == [
        "vpc-0123456789abcdef1",
        "vpc-0123456789abcdef0",
    ]


def test_two_nat_gateways_are_both_allowed(at: Callable[..., Desk]) -> None:
    desk = at(network="nat")
    state = desk.state
    set_output(state["stacks"]["orders-service"], "NatAddress", "203.0.113.10,203.0.113.11")
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


@pytest.mark.parametrize(
    "answers", [{"auth": "password", "network": "nat"}, {"network": "peering"}], ids=str
)
def test_a_stack_in_another_region(desk: Desk) -> None:
    """Every call of AWS asks there, and Atlas peers with it."""
    state = desk.state
    state["containers"][0]["regionName"] = "EU_WEST_1"
    desk.state = state

    done = desk.run("Cluster0", "--region", "eu-west-1")

    assert done.returncode == 0, done.stderr
    lines = (desk.folder / "calls.jsonl").read_text("utf-8").splitlines()
    asked = [call for call in map(json.loads, lines) if call[0] == "aws" or "--region" in call]
    assert len(asked) >= 2
    assert {call[call.index("--region") + 1] for call in asked} == {"eu-west-1"}


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
    return lambda state: set_output(state["stacks"]["orders-service"], name, None)


def no_service(state: dict[str, Any]) -> None:
    state["services"] = []


def other_range(state: dict[str, Any]) -> None:
    state["containers"][0]["atlasCidrBlock"] = "10.8.0.0/21"


def overlap(state: dict[str, Any]) -> None:
    set_output(state["stacks"]["orders-service"], "VpcCidr", "192.168.0.0/16")


HALF_CONFIGURED = [
    ({}, no_stack, "Stack with id orders-service does not exist"),
    ({}, failed_stack, "is in ROLLBACK_COMPLETE: deploy it first"),
    ({}, signed_out, "atlas clusters describe failed: this action requires authentication"),
    ({}, other_cluster, "No cluster named Cluster0 exists"),
    ({}, other_host, f"ClusterHost, {HOST}, is not a host of Cluster0"),
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
