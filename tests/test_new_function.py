"""`make new-function`: what it adds passes the project's own checks, and is deployed."""

import json
import sys
import uuid
from pathlib import Path

import pytest

from tests.conftest import Baker, MypyCache
from tests.support.atlas import Atlas
from tests.support.baking import BakedProject, bake, combinations
from tests.support.budget import TIERS, reserved_concurrency
from tests.support.effects import added, effects
from tests.support.here import HERE, NEEDS_A_SHELL
from tests.support.local_aws import LocalAws
from tests.support.mongod import Mongod
from tests.support.templates import first_deploy, sam_template
from tests.test_deploy import add_database_users, deployed, functions_of

pytestmark = NEEDS_A_SHELL

Answers = dict[str, str]

ADDED = {
    "archive_item": "",  # as it comes: GET /archive-item
    "new_function_2": "POST /items/{id}/count",
    "sweep": "none",
}
# Each layout, with all that a function may have beside it: a user in Atlas, a VPC, a password.
PROJECTS = [
    pytest.param({"layout": layout, **rest}, id="/".join((layout, *rest.values())))
    for layout, rest in (
        ("multi", {"auth": "password", "atlas_setup": "cli", "network": "public"}),
        ("multi-lambda", {"auth": "iam", "atlas_setup": "stack", "network": "peering"}),
        ("web", {"auth": "iam", "atlas_setup": "cli", "network": "public"}),
    )
]


def make(project: BakedProject, name: str, route: str = "", *, check: bool = True) -> str:
    """Run `make new-function`; return what it says."""
    new = [f"name={name}", f"route={route}"]
    command = ["make", "--silent", "--old-file=.venv", "RUN=", "new-function", *new]
    done = project.run(*command, check=check)
    assert check or done.returncode != 0
    return done.stdout if check else done.stderr.splitlines()[0]


@pytest.mark.slow
@pytest.mark.parametrize("answers", PROJECTS)
def test_what_it_adds_passes_all_checks(
    answers: Answers, mongod: Mongod, mypy_cache: MypyCache, tmp_path: Path
) -> None:
    """Also twice and more in a row. What SAM and the CDK would deploy stays the same."""
    projects = {iac: bake(tmp_path / iac, **answers, iac=iac) for iac in ("sam", "cdk")}
    for project in projects.values():
        for name, route in ADDED.items():
            assert f"src/orders_service/functions/{name}.py" in make(project, name, route)
        project.run("ruff", "check")
        project.run("ruff", "format", "--check")
        tests = ["tests/test_client_placement.py", *(f"tests/test_{name}.py" for name in ADDED)]
        project.run("mypy", "src", *tests, env=mypy_cache(project))
        if (answers["auth"], project.answers["iac"]) == ("password", "cdk"):
            tests.append("tests/test_infra.py")
        env = {"MONGODB_URI": mongod.uri}
        project.run(sys.executable, "-m", "pytest", "-q", *tests, env=env)

    sam, cdk = (first_deploy(projects[iac], tmp_path / "cdk.out") for iac in ("sam", "cdk"))
    made = effects(cdk)
    added(made)
    assert effects(sam) == made
    expanded = sam_template(projects["sam"])
    (tmp_path / "expanded.json").write_text(json.dumps(expanded), "utf-8")
    lint = ["cfn-lint", "template.yaml", str(tmp_path / "expanded.json")]
    projects["sam"].run(*lint, "--non-zero-exit-code", "warning", "--region", "us-east-1")


def test_the_functions_share_the_connections(tmp_path: Path) -> None:
    project = bake(tmp_path, layout="multi-lambda", network="nat")

    said = make(project, "archive_item")

    share = reserved_concurrency(TIERS["M0"], 6)
    assert f"Deploy with ReservedConcurrency={share}: 6 functions share the connections." in said


NAME = (
    "name must be an identifier in lower case, of up to {} characters, such as archive_item, "
    "not {!r}."
)
ROUTE = "route must be none, or a method and a path such as POST /items/{{id}}/archive, not {!r}."
EXISTS = "{} exists already: try another name, such as {}_2."
SEVERAL = "{} has GET /items already: try another route, such as 'GET /items_2_2'."


@pytest.mark.slow  # for their number
@pytest.mark.parametrize("answers", combinations("iac"))
@pytest.mark.parametrize("layout", ["multi", "multi-lambda", "web"])
def test_refuses_in_one_sentence(layout: str, answers: Answers, baked: Baker) -> None:
    project = baked(layout=layout, **answers)
    before = project.contents
    each = layout == "multi-lambda"
    longest = 64 - len("orders-service-staging-") if each else 40
    names = ("", "archive-item", "Archive", "2fast", "class", "_x", "get_item_", "é", "a b", "../x")
    sentences = {(it, ""): NAME.format(longest, it) for it in (*names, "x" * (longest + 1))}
    for route in ("GET", "get /x", "GET x", "GET /x y", "GET /{x", "ANY /x", "GET /x//y", "/x"):
        sentences["new", route] = ROUTE.format(route)
    taken = {
        "get_item": "src/orders_service/functions/get_item.py",
        "connection": "tests/test_connection.py",
    }
    for name, path in taken.items():
        sentences[name, ""] = EXISTS.format(path, name)
    table = "src/orders_service/functions/__init__.py" if each else "src/orders_service/app.py"
    if each and answers["iac"] == "cdk":
        table = "infra/service.py"
    if layout == "web":
        table = "src/orders_service/functions/list_items.py"
    sentences["items_2", "GET /items"] = SEVERAL.format(table)

    for (name, route), sentence in sentences.items():
        assert make(project, name, route, check=False) == sentence

    assert BakedProject(project.path, project.answers).contents == before


PLACES = {
    "src/orders_service/functions/__init__.py": "'ROUTES = {'",
    "template.yaml": "'      All: ['",
}


@pytest.mark.parametrize("name", PLACES)
def test_changes_nothing_if_others_have_changed_its_places(name: str, tmp_path: Path) -> None:
    project = bake(tmp_path, layout="multi-lambda")
    (project.path / name).write_text("# Others have changed it.\n", "utf-8")
    before = project.contents

    said = make(project, "archive_item", check=False)

    assert said == f"{name} must have {PLACES[name]} once: add the function by hand."
    assert BakedProject(project.path, project.answers).contents == before


@pytest.mark.slow
def test_a_new_function_is_deployed_and_answers(
    atlas: Atlas, aws: LocalAws, tmp_path: Path
) -> None:
    slug = f"orders-{uuid.uuid4().hex[:6]}"
    project = bake(tmp_path, layout="multi-lambda", network="public", project_slug=slug, **HERE)
    for name, route in ADDED.items():
        make(project, name, route)

    with deployed(project, atlas, aws) as outputs:
        add_database_users(project, outputs, atlas, aws)
        assert len({it["Role"] for it in functions_of(outputs, aws)}) == 5 + len(ADDED)
        body = {"database": "app", "ping": 1.0}
        for method, path in (("GET", "/archive-item"), ("POST", "/items/1/count")):
            answer = aws.call(outputs["ApiUrl"], method, path)
            assert (answer.status, answer.json) == (200, body)
            assert aws.call(outputs["ApiUrl"], method, path, signed=False).status == 403
        name = outputs["SweepFunctionName"]
        result = aws.client("lambda").invoke(FunctionName=name, Payload=b"{}")
        assert json.load(result["Payload"]) == body
