"""What `make deploy` finds out before it changes anything, and says in a sentence."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support import atlas_control_plane
from tests.support.atlas import Atlas
from tests.support.atlas_control_plane import (
    CLI,
    ControlPlane,
    RefusedError,
    api_error,
    parse,
    shown,
)
from tests.support.baking import OPTIONS, bake
from tests.support.desk import Desk
from tests.support.here import HERE
from tests.support.local_aws import LocalAws
from tests.support.templates import set_up
from tests.test_deploy_command import allow_cloudformation

pytestmark = pytest.mark.slow

Answers = dict[str, str]


@pytest.fixture
def sit(tmp_path: Path, atlas: Atlas, aws: LocalAws) -> Iterator[Callable[..., Desk]]:
    """`sit(network="nat")`: a desk with such a project, at which nothing can be deployed."""
    with ExitStack() as resources:

        def get(aws: LocalAws = aws, **answers: str) -> Desk:
            folder = tmp_path / str(len(list(tmp_path.iterdir())))
            project = bake(folder, **{**HERE, "layout": "single", **answers})
            plane = ControlPlane(atlas, aws)
            port = resources.enter_context(plane.served())
            desk = Desk(folder / "desk", project, plane, port)
            desk.program("sam", 'echo "$@"; [ "$1" = --version ]')
            return desk

        yield get


def cluster_of(tier: str, region: str = "US_EAST_1") -> Callable[[Desk], Any]:
    def change(desk: Desk) -> None:
        desk.plane.clusters.clear()
        desk.plane.create_cluster("Cluster0", tier, region)

    return change


def refuse(error: RefusedError) -> Callable[[Desk], Any]:
    return lambda desk: setattr(desk.plane, "refusal", error)


def remember(**settings: str) -> Callable[[Desk], Any]:
    return lambda desk: set_up(desk.project, "default", **settings)


# https://github.com/mongodb/mongodb-atlas-cli, internal/cli/commonerrors/errors.go
EXPIRED = RefusedError("session expired\n\nPlease note that your session expires periodically.")
ELSEWHERE = api_error(
    "403 Forbidden",
    "IP_ADDRESS_NOT_ON_ACCESS_LIST",
    "IP address 203.0.113.9 is not allowed to access this resource.",
)
STACK = {"atlas_setup": "stack"}

REFUSED: dict[str, tuple[Answers, Callable[[Desk], Any], str]] = {
    "expired login": (
        {},
        refuse(EXPIRED),
        "Atlas: `atlas projects list` says: session expired Sign in by `atlas auth login`, ",
    ),
    "access list of one's own key": (
        {},
        refuse(ELSEWHERE),
        "Add this machine's address to the access list of your Atlas API key.",
    ),
    "wrong project": (
        {},
        remember(ClusterHost="other.x7k2p.mongodb.net"),
        "Cluster: other.x7k2p.mongodb.net is of no cluster of this Atlas project, which has "
        "Cluster0: give another --project, or delete ClusterHost in samconfig.toml",
    ),
    "several projects": (
        {},
        lambda desk: desk.plane.projects.append({"id": "1", "name": "Bills", "orgId": "2"}),
        "Atlas: There are several: Orders, Bills. Say which by --project NAME.",
    ),
    "several clusters": (
        {},
        lambda desk: desk.plane.create_cluster("Cluster1", "M10", "US_EAST_1"),
        "Cluster: There are several: Cluster0, Cluster1. Say which by --cluster NAME.",
    ),
    "no cluster": (
        {},
        lambda desk: desk.plane.clusters.clear(),
        "Cluster: There is no cluster in Atlas: make one, or have one made by --create-cluster",
    ),
    "options of a sharded cluster": (
        {},
        remember(ConnectionOptions="srvMaxHosts=3"),
        "Cluster: Cluster0 is a replica set, and srvMaxHosts is for sharded clusters: take it out",
    ),
    "free cluster": (
        {},
        cluster_of("M0"),
        "Cluster: The network needs a cluster of tier M10 or larger, not M0.",
    ),
    "Flex cluster": (
        {"network": "peering"},
        cluster_of("FLEX"),
        "Cluster: The network needs a cluster of tier M10 or larger, not FLEX.",
    ),
    "cluster in another Region": (
        {},
        cluster_of("M10", "EU_WEST_1"),
        "Cluster: Cluster0 is in eu-west-1 and the stack in us-east-1: they must be in the same",
    ),
    "endpoint limit reached": (
        {},
        lambda desk: setattr(desk.plane, "limit", 0),
        "Network: `atlas privateEndpoints aws` says: ",
    ),
    "types that aren't active": (
        {**STACK, "network": "peering"},
        lambda _: None,
        "Database: MongoDB::Atlas::DatabaseUser isn't activated: deploy atlas-bootstrap.yaml",
    ),
    "access list of the stack's key": (
        {**STACK, "network": "nat"},
        lambda desk: desk.plane.key_access_list.append({"cidrBlock": "203.0.113.0/24"}),
        "Database: The API key abcdefgh can be used from 203.0.113.0/24 only, and CloudFormation "
        "calls Atlas from addresses that nobody knows",
    ),
    "service of another environment": (
        {**STACK, "network": "private-endpoint"},
        lambda desk: desk.plane._create_service("us-east-1"),
        "has a private endpoint service in us-east-1 already, and can't have two",
    ),
    "entry of another environment": (
        {**STACK, "network": "public"},
        lambda desk: desk.plane.access_list.append({"cidrBlock": "0.0.0.0/0"}),
        "has 0.0.0.0/0 already, so the stack can't add it",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_what_cannot_work(name: str, sit: Callable[..., Desk]) -> None:
    """In one line, before anything is made or deployed."""
    answers, change, sentence = REFUSED[name]
    desk = sit(**answers)
    if "types" not in name:
        allow_cloudformation(desk)
    change(desk)

    done = desk.run("deploy")

    assert done.returncode == 1
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert [
        it for it in desk.plane.changes if it[:3] != ["privateEndpoints", "aws", "create"]
    ] == []
    assert "Deploy " not in done.stdout


def test_a_new_account_reserves_what_it_can(sit: Callable[..., Desk]) -> None:
    """Lambda keeps 100 for functions that reserve none; a new account may have 10 in all."""
    said = {}
    for limit in (10, 150, 1000):
        with LocalAws(concurrency=limit) as aws:
            desk = sit(aws, network="nat")
            done = desk.run("deploy", "--dry-run")
            assert done.returncode == 0, done.stdout + done.stderr
            [said[limit]] = [it for it in done.stdout.splitlines() if it.startswith("Concurrency")]
    assert "0 reserved for each function, of 375" in said[10]
    assert "50 reserved for each function, of 375" in said[150]
    assert "375 reserved for each function (" in said[1000]


def test_a_tier_that_is_not_listed_gets_what_the_one_below_allows(
    sit: Callable[..., Desk],
) -> None:
    desk = sit(network="nat")
    for tier, reserved in {"M20": 750, "M40_NVME": 750, "R40": 750, "M0": 125}.items():
        cluster_of(tier)(desk)
        done = desk.run("deploy", "--dry-run")
        assert f"\nConcurrency      {reserved} reserved for each function (" in done.stdout, tier


@pytest.mark.parametrize("network", OPTIONS["network"])
def test_a_dry_run_changes_nothing(network: str, sit: Callable[..., Desk]) -> None:
    desk = sit(network=network)
    before = desk.project.contents
    done = desk.run("deploy", "--dry-run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Deploy           would: Deploy the stack" in done.stdout
    assert desk.plane.changes == []
    assert type(desk.project)(desk.project.path, {}).contents == before


@pytest.mark.parametrize("program", ["atlas", "sam"])
def test_says_which_program_is_missing(program: str, sit: Callable[..., Desk]) -> None:
    desk = sit()
    (desk.programs / program).unlink()
    done = desk.run("deploy")
    said = f"Tools: The program {program} is needed: README.md says where to get it.\n"
    assert done.stderr == said


def test_the_stand_in_refuses_what_the_real_program_refuses() -> None:
    """So that a call with a wrong option can't pass for a right one."""
    for line, complaint in {
        "dbusers create --username a --roles b": "unknown flag: --roles",
        "dbusers create --role b": 'required flag\\(s\\) "username" not set',
        "dbusers make": 'unknown command "dbusers make" for "atlas"',
        "clusters describe": "accepts between 1 and 1 arg",
    }.items():
        with pytest.raises(RefusedError, match=complaint):
            parse(line.split())
    assert CLI["source"].startswith("https://github.com/mongodb/mongodb-atlas-cli at ")


SCHEMAS = {
    "projects": ["Group"],
    "keys": ["ApiKeyUserDetails"],
    "key_access_list": ["UserAccessListResponse"],
    "users": ["CloudDatabaseUser"],
    "access_list": ["NetworkPermissionEntry"],
    "services": ["AWSPrivateLinkConnection"],
    "containers": ["AWSCloudProviderContainer"],
    "peerings": ["AwsNetworkPeeringConnectionSettings"],
    "clusters": ["ClusterDescription20240805", "FlexClusterDescription20241113"],
}
STATES = {
    "status": "service status",
    "connectionStatus": "endpoint status",
    "statusName": "peering status",
    "typeName": "process type",
}


def test_the_stand_in_answers_with_what_the_real_program_answers_with(
    atlas: Atlas, aws: LocalAws
) -> None:
    """Fields, and their values, are those of Atlas's published schemas."""
    plane = ControlPlane(atlas, aws)
    plane.create_cluster("Flex", "FLEX", "US_EAST_1")
    plane.key_access_list.append({"cidrBlock": "203.0.113.0/24"})
    lines = [
        "dbusers create --username a --awsIAMType NONE --role readWrite@app --scope Cluster0",
        "accessLists create 0.0.0.0/0 --type cidrBlock --comment a",
        "privateEndpoints aws create --region us-east-1",
        *["privateEndpoints aws list"] * 3,
        "processes list",
    ]
    said = [plane.answer(line.split(), "password") for line in lines]
    assert {it["error"] for it in said} == {""}
    for name, schemas in SCHEMAS.items():
        fields = {field for schema in schemas for field in CLI["fields"][schema]}
        for item in shown(getattr(plane, name)):
            assert item.keys() <= fields, name
    [process] = json.loads(said[-1]["output"])["results"]
    assert process.keys() <= set(CLI["fields"]["ApiHostView_Atlas"])
    states = re.findall(r'"(status|connectionStatus|statusName|typeName)": "(\w+)"', SOURCE)
    states += re.findall(r'\b(status|statusName)="(\w+)"', SOURCE)
    assert len(states) > 5
    for name, state in states:
        assert state in [*CLI["enums"][STATES[name]], "DELETED"], name  # which isn't shown


SOURCE = Path(atlas_control_plane.__file__).read_text("utf-8")
