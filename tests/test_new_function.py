"""`make new-function`: what it adds passes the project's own checks, and is deployed."""

import json
import sys
import uuid
from pathlib import Path

import pytest

from tests.conftest import Baker
from tests.support.atlas import Atlas
from tests.support.baking import BakedProject, bake
from tests.support.effects import effects
from tests.support.here import HERE, NEEDS_A_SHELL
from tests.support.local_aws import LocalAws
from tests.support.mongod import Mongod
from tests.support.templates import first_deploy, sam_template
from tests.test_deploy import add_database_users, deployed, functions_of

pytestmark = NEEDS_A_SHELL

Answers = dict[str, str]

ADDED = {
    "archive_item": "",  # as it comes: GET /archive-item
    "count_2": "POST /items/{id}/count",
    "sweep": "none",
}
# Each layout, with all that a function may have beside it: a user in Atlas, a VPC, a password.
PROJECTS = [
    pytest.param({"layout": layout, **rest}, id="/".join((layout, *rest.values())))
    for layout, rest in (
        ("multi", {"auth": "password", "atlas_setup": "cli", "network": "public"}),
        ("multi-lambda", {"auth": "iam", "atlas_setup": "stack", "network": "peering"}),
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
    answers: Answers, mongod: Mongod, mypy_cache: str, tmp_path: Path
) -> None:
    """Also twice and more in a row. What SAM and the CDK would deploy stays the same."""
    projects = {iac: bake(tmp_path / iac, **answers, iac=iac) for iac in ("sam", "cdk")}
    for project in projects.values():
        for name, route in ADDED.items():
            assert f"src/orders_service/functions/{name}.py" in make(project, name, route)
        project.run("ruff", "check")
        project.run("ruff", "format", "--check")
        tests = ["tests/test_client_placement.py", *(f"tests/test_{name}.py" for name in ADDED)]
        project.run("mypy", "src", *tests, env={"MYPY_CACHE_DIR": mypy_cache})
        if (answers["auth"], project.answers["iac"]) == ("password", "cdk"):
            tests.append("tests/test_infra.py")
        env = {"MONGODB_URI": mongod.uri}
        project.run(sys.executable, "-m", "pytest", "-q", *tests, env=env)

    sam, cdk = (first_deploy(projects[iac], tmp_path / "cdk.out") for iac in ("sam", "cdk"))
    assert effects(sam) == effects(cdk)
    expanded = sam_template(projects["sam"])
    (tmp_path / "expanded.json").write_text(json.dumps(expanded), "utf-8")
    lint = ["cfn-lint", "template.yaml", str(tmp_path / "expanded.json")]
    projects["sam"].run(*lint, "--non-zero-exit-code", "warning", "--region", "us-east-1")


def test_the_functions_share_the_connections(tmp_path: Path) -> None:
    project = bake(tmp_path, layout="multi-lambda", network="nat")

    said = make(project, "archive_item")

    default = sam_template(project)["Parameters"]["ReservedConcurrency"]["Default"]
    assert default == 500 // 2 // 2 // 6
    assert f"Deploy with ReservedConcurrency={default}: " in said
    assert "Then set Atlas up for the new role: uv run scripts/setup_atlas.py" in said


IDENTIFIER = "name must be an identifier in lower case, such as archive_item, not {!r}."
TAKEN = "{} exists already: try another name, such as {}_2."
HAS = "{} has {} already: try another name, such as {}_2."
SEVERAL = "{} has a function already: try another route, such as {}."
ROUTE = (
    'route must be a method and a path, such as "POST /items/{{id}}/archive", or none, not {!r}.'
)


@pytest.mark.slow  # for their number
@pytest.mark.parametrize("answers", PROJECTS)
@pytest.mark.parametrize("iac", ["sam", "cdk"])
def test_refuses_in_one_sentence(answers: Answers, iac: str, baked: Baker) -> None:
    project = baked(layout=answers["layout"], iac=iac)
    before = project.contents
    sentences = {
        (name, ""): IDENTIFIER.format(name)
        for name in ("", "archive-item", "Archive", "2fast", "class", "_x", "é", "a b", "../x")
    }
    for route in ("GET", "get /x", "GET x", "GET /x y", "GET /{x", "ANY /x", "GET /x//y", "/x"):
        sentences["new", route] = ROUTE.format(route)
    taken = {
        "get_item": "src/orders_service/functions/get_item.py",
        "connection": "tests/test_connection.py",
    }
    for name, path in taken.items():
        sentences[name, ""] = TAKEN.format(path, name)
    infrastructure = "template.yaml" if iac == "sam" else "infra/stack.py"
    if iac == "sam" or answers["layout"] == "multi-lambda":
        sentences["get_item_", ""] = IDENTIFIER.format("get_item_")
        path = "infra/api.py" if iac == "cdk" else infrastructure
        sentences["api", ""] = HAS.format(path, "Api", "api")
    for route, example in (("GET /items", "items_2"), ("GET /items/{sku}", "items_3")):
        other = "GET /items/{id}" if "sku" in route else route
        sentences[example, route] = SEVERAL.format(other, f'"GET /{example}"')
    longest = 64 - len("orders-service-staging-") if answers["layout"] == "multi-lambda" else 40
    for name in ("x" * (longest + 1), "con"):
        sentences[name, ""] = (
            f"name must be up to {longest} characters, and not a Windows device, not {name!r}."
        )
    if answers["layout"] == "multi":
        sentences["response", ""] = (
            "src/orders_service/app.py uses response already: try another name, such as response_2."
        )

    for (name, route), sentence in sentences.items():
        assert make(project, name, route, check=False) == sentence

    assert BakedProject(project.path, project.answers).contents == before


FAULTS = {
    "src/orders_service/functions/__init__.py": "has no ROUTES to add to: add the function by hand",
    "template.yaml": "template.yaml has no place to add to: add the function by hand",
    # On the disk: the last file that is written has lost its folder.
    "scripts/new_function.py": "can't be written, so nothing has changed: No such file",
}


@pytest.mark.parametrize("name", FAULTS)
def test_adds_all_or_nothing(name: str, tmp_path: Path) -> None:
    project = bake(tmp_path, layout="multi-lambda")
    text = "# Others have changed it.\n"
    if name == "scripts/new_function.py":
        write = "path.write_bytes(text.encode())"
        elsewhere = 'path.parent.joinpath("gone" * (path == TEMPLATE), path.name).write_text(text)'
        text = project.read(name).replace(write, elsewhere)
    (project.path / name).write_text(text, "utf-8")
    before = project.contents

    assert FAULTS[name] in make(project, "archive_item", check=False)

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
        assert json.loads(json.load(result["Payload"])["body"]) == body
