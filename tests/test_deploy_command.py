"""`make deploy` of the projects, from nothing to a response, against stand-ins for AWS and Atlas.

The SAM and CDK CLIs are the real ones, and so are the functions and their MongoDB.
"""

import itertools
import json
import re
import tomllib
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pymongo import MongoClient

from tests.lab.leaks import Canaries
from tests.support.atlas import Atlas
from tests.support.atlas_control_plane import ControlPlane
from tests.support.baking import OPTIONS, BakedProject, in_turns
from tests.support.desk import Desk
from tests.support.here import bake_here
from tests.support.local_aws import LocalAws
from tests.support.parameters import ADMIN_SECRET
from tests.support.templates import set_up

pytestmark = pytest.mark.slow

Answers = dict[str, str]

# The alias has to name a version that knows the private host, which the second deploy tells.
SNAPSTART = ("sam", "private-endpoint", "stack")


def pairs() -> Iterator[Any]:
    """Each network with each set-up by each tool, and the other answers as they come.

    Half of them have every two of the three together: the rest is for `--long`.
    """
    others = [it for it in in_turns("layout", "auth") if not it.marks]
    every = itertools.product(*(enumerate(OPTIONS[it]) for it in ("iac", "network", "atlas_setup")))
    for (tool, iac), (number, network), (way, setup) in every:
        answers = {
            "network": network,
            "atlas_setup": setup,
            "iac": iac,
            **others[number - 1].values[0],
            "snapstart": "yes" if (iac, network, setup) == SNAPSTART else "no",
        }
        marks = () if (tool + number + way) % 2 else pytest.mark.long
        yield pytest.param(answers, id="-".join(answers.values()), marks=marks)


@pytest.fixture
def sit(tmp_path: Path, atlas: Atlas, aws: LocalAws) -> Iterator[Callable[..., Desk]]:
    """`sit(network="nat")`: a desk with such a project."""
    with ExitStack() as resources:

        def get(**answers: str) -> Desk:
            slug = f"orders-{uuid.uuid4().hex[:6]}"
            project = bake_here(tmp_path / slug, project_slug=slug, **answers)
            plane = ControlPlane(atlas, aws)
            port = resources.enter_context(plane.served())
            return Desk(tmp_path / f"{slug}-desk", project, plane, port)

        yield get


def allow_cloudformation(desk: Desk) -> None:
    """Do what README.md says of atlas_setup=stack: activate the types, and keep an API key."""
    if desk.project.answers["atlas_setup"] != "stack":
        return
    aws = desk.plane.aws
    cloudformation, manager = aws.client("cloudformation"), aws.client("secretsmanager")
    template = desk.project.read("atlas-bootstrap.yaml")
    parameters = {}
    for kind in re.findall(r"^  Activate(\w+):", template, re.MULTILINE):
        with suppress(ClientError):
            cloudformation.describe_type(Type="RESOURCE", TypeName=f"MongoDB::Atlas::{kind}")
            parameters[f"Activate{kind}"] = "false"
    aws.create_stack(f"bootstrap-{uuid.uuid4().hex[:6]}", template, **parameters)
    with suppress(manager.exceptions.ResourceExistsException):
        manager.create_secret(Name="cfn/atlas/profile/default", SecretString=json.dumps(KEY))


KEY = {"PublicKey": "abcdefgh", "PrivateKey": "01234567-89ab-cdef-0123-456789abcdef"}


@pytest.mark.parametrize("answers", [*pairs()])
def test_deploys_from_nothing_to_a_response(answers: Answers, sit: Callable[..., Desk]) -> None:
    """And again, which changes nothing, and takes it down, which leaves nothing."""
    desk = sit(**answers)
    allow_cloudformation(desk)
    plane, slug = desk.plane, desk.project.answers["project_slug"]

    done = desk.run("deploy")

    assert done.returncode == 0, done.stdout + done.stderr
    path = "/" if answers["layout"] == "single" else "/items"
    assert f"\nCall             GET {path} returns 200 {{" in done.stdout
    outputs = plane.aws.outputs(slug)
    hosts = {"private-endpoint": plane.atlas.private_host}
    assert outputs["ClusterHost"] == hosts.get(answers["network"], plane.atlas.host)
    check_atlas(desk, outputs)
    check_secrets(desk, done.stdout + done.stderr)
    if answers["iac"] == "cdk" and answers["network"] != "peering":
        return  # what follows differs by the network alone, and takes its time
    desk.keep_builds()

    before, changes = files_of(desk), len(plane.changes)
    again = desk.run("deploy")
    assert again.returncode == 0, again.stdout + again.stderr
    assert plane.changes[changes:] == []
    assert "Deploy again" not in again.stdout
    assert files_of(desk) == before
    if (answers["network"], answers["atlas_setup"]) == ("peering", "cli"):
        # Another environment has the same stack: its first deploy knows the peering, too.
        other = desk.run("deploy", "production")
        assert other.returncode == 0, other.stdout + other.stderr
        assert plane.changes[changes:] == []
        assert "Deploy again" not in other.stdout

    down = desk.run("destroy", "--yes")
    assert down.returncode == 0, down.stdout + down.stderr
    check_nothing_left(desk)


def files_of(desk: Desk) -> dict[str, bytes]:
    """What is in the files of the project that a build doesn't make."""
    made = (".aws-sam/", "cdk.out/", "node_modules/")
    found = BakedProject(desk.project.path, {}).contents
    return {name: it for name, it in found.items() if not name.startswith(made)}


def check_atlas(desk: Desk, outputs: dict[str, str]) -> None:
    """Atlas allows what the network needs, and nothing more."""
    answers, plane = desk.project.answers, desk.plane
    if answers["atlas_setup"] == "stack":
        return  # the stack's properties are judged elsewhere
    names = {it["username"] for it in plane.users}
    if answers["auth"] == "iam":
        assert names == {it for name, it in outputs.items() if name.endswith("ExecutionRoleArn")}
    else:
        assert names == {answers["project_slug"]}
    for user in plane.users:
        assert user["roles"] == [{"roleName": "readWrite", "databaseName": "app"}]
        assert user["scopes"] == [{"name": "Cluster0", "type": "CLUSTER"}]
    allowed = [it.get("ipAddress") or it.get("cidrBlock") for it in plane.access_list]
    assert (
        allowed
        == {
            "private-endpoint": [],
            "peering": [outputs.get("VpcCidr")],
            "nat": [outputs.get("NatAddress")],
            "public": ["0.0.0.0/0"],
        }[answers["network"]]
    )
    connected = [name for it in plane.services for name in it["interfaceEndpoints"]]
    assert connected == [it for name, it in outputs.items() if name == "AtlasEndpointId"]
    peered = [it["connectionId"] for it in plane.peerings if it["statusName"] == "AVAILABLE"]
    assert peered == [it for name, it in outputs.items() if name == "PeeringConnectionId"]


def check_secrets(desk: Desk, said: str) -> None:
    """No secret is shown, or kept, or in a command line."""
    aws, canaries = desk.plane.aws, Canaries()
    canaries.add("API key", KEY["PrivateKey"])
    canaries.add("secret key", desk.environment["AWS_SECRET_ACCESS_KEY"])
    if arn := aws.outputs(desk.project.answers["project_slug"]).get("DatabaseSecretArn"):
        secret = aws.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
        canaries.add("password", json.loads(secret)["password"])
    configuration = {"samconfig.toml", "cdk.json"} & BakedProject(desk.project.path, {}).files
    files = [desk.project.read(it) for it in configuration]
    canaries.check("\n".join([said, json.dumps(desk.plane.calls), *files]), "what is shown")


def check_nothing_left(desk: Desk) -> None:
    """Neither of the stack, nor in Atlas."""
    aws, plane, slug = desk.plane.aws, desk.plane, desk.project.answers["project_slug"]
    names = [it["StackName"] for it in aws.client("cloudformation").describe_stacks()["Stacks"]]
    assert slug not in names
    if desk.project.answers["atlas_setup"] == "cli":
        assert (plane.users, plane.access_list) == ([], [])
        assert [it for it in plane.services if it["status"] != "DELETING"] == []
        assert [it for it in plane.peerings if it["statusName"] != "TERMINATING"] == []
    if desk.project.answers["iac"] == "sam":
        remembered = tomllib.loads(desk.project.read("samconfig.toml"))["default"]
    else:
        remembered = json.loads(desk.project.read("cdk.json"))["context"]["default"]
    assert plane.atlas.host not in str(remembered)


# Of an environment with a private endpoint, whose deploy has the most steps. The first is done at
# once; the second of a name is told by what comes before.
STEPS = [
    "Atlas",
    "Cluster",
    "Network",
    "Settings",
    "Build",
    "Deploy",
    "Database users",
    "Atlas's network",
    "Deploy again",
    "Indexes",
    "Call",
    "Connections",
]


def test_goes_on_where_it_was_killed(sit: Callable[..., Desk]) -> None:
    """At the beginning of every step, and at the end of all there is nothing twice."""
    desk = sit(network="private-endpoint", layout="multi", auth="iam")
    desk.keep_builds()
    for step in STEPS:
        desk.run_until(step, "deploy")

    done = desk.run("deploy")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "returns 200" in done.stdout
    plane = desk.plane
    outputs = plane.aws.outputs(desk.project.answers["project_slug"])
    assert outputs["ClusterHost"] == plane.atlas.private_host
    check_atlas(desk, outputs)
    made = [" ".join(it[:4]) for it in plane.changes if "create" in it]
    assert made == [
        "privateEndpoints aws create --region",
        "dbusers create --username " + outputs["ExecutionRoleArn"],
        "privateEndpoints aws interfaces create",
    ]


def test_environments_have_their_own(sit: Callable[..., Desk]) -> None:
    """Stack, settings and users: staging beside what was there, and gone without it."""
    desk = sit(network="public", layout="single", auth="password")
    slug, aws = desk.project.answers["project_slug"], desk.plane.aws
    desk.keep_builds()
    for environment in ("default", "staging"):
        done = desk.run("deploy", environment)
        assert done.returncode == 0, done.stdout + done.stderr
        assert desk.run("url", environment).stdout.startswith("https://")
    assert {it["username"] for it in desk.plane.users} == {slug, f"{slug}-staging"}

    # It was the first, so it has allowed the addresses that both need.
    down = desk.run("destroy", "--yes")

    assert down.returncode == 0, down.stdout + down.stderr
    assert f"0.0.0.0/0 stays, for {slug}-staging" in down.stdout
    assert [it["username"] for it in desk.plane.users] == [f"{slug}-staging"]
    assert [it["cidrBlock"] for it in desk.plane.access_list] == ["0.0.0.0/0"]
    assert "ApiUrl" in aws.outputs(f"{slug}-staging")
    again = desk.run("destroy", "--yes")  # what a killed run has left, if anything
    assert again.returncode == 0, again.stdout + again.stderr
    assert "there is none in us-east-1" in again.stdout
    desk.run("destroy", "staging", "--yes")
    assert desk.plane.access_list == []


@pytest.mark.parametrize(("iac", "setup"), [("sam", "cli"), ("cdk", "stack")])
def test_turns_the_rotation_on_and_off(iac: str, setup: str, sit: Callable[..., Desk]) -> None:
    """The secret then has another password, and so has Atlas: who logs in anew gets in.

    ministack promotes what the secret holds, so that nothing is rotated here.
    """
    desk = sit(network="public", layout="single", auth="password", iac=iac, atlas_setup=setup)
    allow_cloudformation(desk)
    project, manager = desk.project, desk.plane.aws.client("secretsmanager")
    desk.keep_builds()
    passwords = set()
    for admin in ("", ADMIN_SECRET, ""):
        set_up(project, "default", RotationAdminSecretArn=admin)

        done = desk.run("deploy")

        assert done.returncode == 0, done.stdout + done.stderr
        assert ("\nRotation         done" in done.stdout) == bool(admin)
        outputs = desk.plane.aws.outputs(project.answers["project_slug"])
        arn = outputs["DatabaseSecretArn"]
        secret = json.loads(manager.get_secret_value(SecretId=arn)["SecretString"])
        passwords.add(secret["password"])
        uri = desk.plane.atlas.mongod.uri_for(secret["username"], secret["password"])
        with MongoClient[dict[str, object]](uri) as client:
            client.admin.command("ping")
        rotation = secret.keys() - {"username", "password"}
        assert rotation == ({"clusterUrl", "databaseName", "groupId"} if admin else set())
        if admin:
            assert secret["clusterUrl"] == desk.plane.atlas.host
            assert secret["groupId"] == desk.plane.project["id"]
        assert manager.describe_secret(SecretId=arn)["RotationEnabled"] == bool(admin)
        check_atlas(desk, outputs)
    assert len(passwords) == 3
    down = desk.run("destroy", "--yes")
    assert down.returncode == 0, down.stdout + down.stderr
    check_nothing_left(desk)


def test_makes_the_cluster_that_is_asked_for(sit: Callable[..., Desk]) -> None:
    """And waits for it, after a yes to its price; a dry run only says so."""
    desk = sit(network="nat", layout="single")
    slug, plane = desk.project.answers["project_slug"], desk.plane
    asked = ("deploy", "--create-cluster", "FLEX")
    dry = desk.run(*asked, "--dry-run")
    assert f"would make {slug}, FLEX, billed by use, up to a monthly limit." in dry.stdout
    refused = desk.run(*asked)
    assert refused.stderr.startswith(f"Cluster: Make the cluster {slug}, FLEX, billed by use")
    assert "Nobody can be asked here: give --yes." in refused.stderr
    assert plane.changes == []

    done = desk.run(*asked, "--yes")

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{slug}, FLEX in us-east-1" in done.stdout
    assert "not told of a cluster of tier FLEX" in done.stdout
    again = desk.run("deploy")
    assert again.returncode == 0, again.stdout + again.stderr
    assert len([it for it in plane.changes if it[:2] == ["clusters", "create"]]) == 1
    desk.run("destroy", "--yes")
    assert [it["name"] for it in plane.clusters] == ["Cluster0", slug]  # with its data
