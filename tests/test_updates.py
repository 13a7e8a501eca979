"""A project of the oldest release, changed by its owners, follows the template by cruft."""

import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Expand, MypyCache
from tests.support.baking import OPTIONS, TEMPLATE, BakedProject, bake
from tests.support.cloudformation import Template, expand
from tests.support.documents import Document
from tests.support.local_aws import LocalAws
from tests.support.mongod import Mongod
from tests.support.parameters import required
from tests.support.repository import Repository, releases
from tests.support.templates import Synthesis, synthesise
from tests.test_cdk_deploy import bootstrap, deploy

# What its owners add to a project of 0.1.0: a function with its route and its test.
COUNT = '''"""GET /count says how many items there are."""

from aws_lambda_powertools.utilities.typing import LambdaContext

from ..api import Event, Response, endpoint, reply
from ..client import mongodb


@endpoint
def handler(event: Event, context: LambdaContext) -> Response:
    """Answer 200 with the number."""
    with mongodb.database(context) as db:
        return reply(200, {"count": db.items.count_documents({})})
'''
# The same as CHANGELOG.md has them rewrite it.
COUNT_NOW = '''"""GET /count says how many items there are."""

from aws_lambda_powertools.event_handler.api_gateway import Router

from ..client import mongodb

router = Router()


@router.get("/count")
def count_items() -> dict[str, int]:
    """Return 200 with the number."""
    with mongodb.database(router.lambda_context) as db:
        return {"count": db.items.count_documents({})}
'''
TEST = '''"""The number of items."""

import json

from conftest import Invoke


def test_counts_the_items(invoke: Invoke) -> None:
    assert json.loads(invoke("GET /count")["body"])["count"] >= 0
'''
ROUTE = """
        Count:
          Type: HttpApi
          Properties:
            ApiId: !Ref Api
            Method: GET
            Path: /count
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return Repository(tmp_path_factory.mktemp("repository"))


def test_the_version_is_the_newest_release_or_leads_to_the_next() -> None:
    """What projects record, and what CHANGELOG.md says, are one."""
    version = template_version()
    changelog = (TEMPLATE / "CHANGELOG.md").read_text("utf-8")
    listed = re.findall(r"^## (\d+\.\d+\.\d+) - ", changelog, re.MULTILINE)
    assert sorted(listed, key=as_numbers, reverse=True) == listed
    assert list(releases()) in (listed, listed[1:])  # the newest may still be without a commit
    if "\n## Unreleased\n" in changelog:
        assert re.fullmatch(r"\d+\.\d+\.\d+\.dev", version)
        assert as_numbers(version.removesuffix(".dev")) > as_numbers(listed[0])
    else:
        assert version == listed[0]


def template_version() -> str:
    text = (TEMPLATE / "templates/versions.j2").read_text("utf-8")
    [version] = re.findall(r'set template = "(.+)"', text)
    return str(version)


def as_numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


@pytest.mark.slow
def test_a_changed_project_is_updated(
    repository: Repository, mongod: Mongod, tmp_path: Path
) -> None:
    """From the oldest release: what they changed elsewhere than we did merges by itself."""
    project = make(repository, tmp_path, layout="multi", auth="password", network="nat")
    before = BakedProject(project, {}).parse("template.yaml")
    change(project)
    commit(repository, project, "Ours")
    assert "out of date" in cruft(repository, project, "check", fails=True)

    cruft(repository, project, "update", "--skip-apply-ask", "--refresh-private-variables")

    status = repository.git("status", "--short", cwd=project)
    unmerged = re.findall(r"^(?:U.|.U|AA) (.+)$|^.. (.+\.rej)$", status, re.MULTILINE)
    app = "src/orders_service/app.py"
    assert unmerged == [(app, "")], status  # it has another table now
    rewrite(repository, project, app)
    assert "up to date" in cruft(repository, project, "check")
    updated = BakedProject(project, {})
    assert "\n> Everything about orders.\n" in updated.read("README.md")
    assert "\n## Who to ask\n" in updated.read("README.md")
    assert 'stack_name = "orders-live"' in updated.read("samconfig.toml")
    answers = updated.parse(".answers.json")
    assert (answers["network"], answers["iac"]) == ("nat", OPTIONS["iac"][0])
    assert answers["template_version"] == template_version()
    after = updated.parse("template.yaml")
    assert resources(before) <= resources(after), "a stack would lose or replace resources"
    updated.run("make", "--silent", "--old-file=.venv", "RUN=", "openapi")
    commit(repository, project, "Update")
    own_tests = ("-m", "pytest", "-q")
    done = updated.run(sys.executable, *own_tests, env={"MONGODB_URI": mongod.uri})
    assert " passed" in done.stdout
    for tool in (("ruff", "check"), ("ruff", "format", "--check"), ("mypy",)):
        updated.run(*tool)


@pytest.mark.slow
def test_where_both_changed_the_same_lines_the_update_says_so(
    repository: Repository, tmp_path: Path
) -> None:
    """In git's way: both versions stand in the file, which is unmerged until somebody decides."""
    project = make(repository, tmp_path, layout="single", network="public")
    readme = project / "README.md"
    theirs = "2. Ask the database team for a user:\n"
    text = readme.read_text("utf-8")
    assert text.count("2. Tell Atlas who may come in:\n") == 1
    readme.write_text(text.replace("2. Tell Atlas who may come in:\n", theirs), "utf-8")
    commit(repository, project, "Ours")

    cruft(repository, project, "update", "--skip-apply-ask", "--refresh-private-variables")

    status = repository.git("status", "--short", cwd=project)
    conflicts = re.findall(r"^UU (.+)$", status, re.MULTILINE)
    assert conflicts == ["README.md"]
    merged = readme.read_text("utf-8")
    [ours] = re.findall(r"^<<<<<<< ours\n(.*?)^=======$", merged, re.MULTILINE | re.DOTALL)
    assert theirs in ours
    with pytest.raises(AssertionError, match="unmerged"):
        repository.git("commit", "--message", "Careless", cwd=project)


@pytest.mark.slow
def test_a_new_question_can_be_answered_in_the_update(
    repository: Repository, tmp_path: Path
) -> None:
    """As CHANGELOG.md advises."""
    project = make(repository, tmp_path, layout="single", network="public")
    advice = re.search(r"`cruft (update .+?)`", (TEMPLATE / "CHANGELOG.md").read_text("utf-8"))
    assert advice
    cruft(repository, project, *shlex.split(advice[1]))
    assert not (project / ".github").exists()
    assert BakedProject(project, {}).parse(".answers.json")["ci"] == "none"


@pytest.mark.slow
@pytest.mark.parametrize("released", [True, False], ids=["released", "not released"])
def test_a_project_made_without_cruft(released: bool, tmp_path: Path) -> None:
    """It is linked and updated by the commands of docs/updates.md, as they are there."""
    repository = Repository(tmp_path / "repository")
    versions = repository.path / "templates/versions.j2"
    if released:
        replace(versions, f'"{template_version()}"', '"9.0.0"')
        repository.git("commit", "--all", "--quiet", "--message", "Version 9.0.0")
        repository.git("tag", "v9.0.0")
    template = ("cookiecutter", "gh:ORG/cookiecutter-atlas-lambda", "--no-input")
    name = 'project_name=Müller & "Söhne\'s"'
    repository.run(*template, "project_slug=orders", name, "layout=multi", cwd=tmp_path)
    project = tmp_path / "orders"
    repository.git("init", "--quiet", cwd=project)
    commit(repository, project, "As baked")
    page = Document(project, project / "docs/updates.md")
    update, link = (it for it in page.blocks("sh") if it.startswith("uvx cruft "))
    if not released:
        shell(repository, project, link)
    ignored = repository.path / "{{cookiecutter.project_slug}}/.gitignore"
    ignored.write_text(ignored.read_text("utf-8") + "notes/\n", "utf-8")
    repository.git("commit", "--all", "--quiet", "--message", "Notes are ignored")
    if released:
        shell(repository, project, link)
    commit(repository, project, "Linked")

    shell(repository, project, update)

    assert BakedProject(project, {}).read(".gitignore").endswith("notes/\n")
    status = repository.git("status", "--short", cwd=project)
    assert sorted(it.split()[1] for it in status.splitlines()) == [".cruft.json", ".gitignore"]


def keep(project: Path) -> None:
    """Follow docs/keeping-a-stack.md: its module, and a call at the end of the stack's own."""
    guide = Document(TEMPLATE, TEMPLATE / "docs/keeping-a-stack.md")
    [module] = guide.blocks("python")
    (project / "infra/kept.py").write_text(module, "utf-8")
    stack = project / "infra/stack.py"
    replace(stack, "import Database\n", "import Database\nfrom infra.kept import keep\n")
    stack.write_text(stack.read_text("utf-8") + "        keep(self)\n", "utf-8")


@pytest.mark.slow
def test_a_stack_is_kept_when_its_project_moves_to_the_cdk(
    repository: Repository, mypy_cache: MypyCache, tmp_path: Path
) -> None:
    """From the oldest release, by docs/keeping-a-stack.md, in a local AWS."""
    path = make(repository, tmp_path, layout="multi", auth="password", network="nat")
    project = BakedProject(path, {"project_slug": "orders-service", "iac": "cdk"})
    old = expand(project.parse("template.yaml"))
    for function in resources_of(old, "AWS::Lambda::Function"):
        function["Code"] = {"ZipFile": "def handler(event, context): ..."}
    guide = Document(TEMPLATE, TEMPLATE / "docs/keeping-a-stack.md")
    update = next(it for it in guide.blocks("sh") if it.startswith("cruft "))

    shell(repository, path, update)

    assert not (path / "template.yaml").exists()
    status = repository.git("status", "--short", cwd=path)
    assert not re.findall(r"^(?:U.|.U|AA) (.+)$|^.. (.+\.rej)$", status, re.MULTILINE), status
    keep(path)
    for tool in (("ruff", "check"), ("ruff", "format", "--check"), ("mypy", "infra")):
        project.run(*tool, env=mypy_cache(project))
    host = "cluster0.ab1cd.mongodb.net"
    synthesis = Synthesis(project, {"ClusterHost": host}, tmp_path / "cdk.out")
    synthesise([synthesis])
    with LocalAws() as aws:
        aws.create_stack("orders-service", json.dumps(old), ClusterHost=host)
        before, secret = aws.resources("orders-service"), secret_of(aws)
        bootstrap(aws, tmp_path)
        deploy(synthesis, aws)
        after = aws.resources("orders-service")
        assert secret_of(aws) == secret
    replaced = {name for name, it in before.items() if after.get(name) != it}
    types = {old["Resources"][name]["Type"].removeprefix("AWS::") for name in replaced}
    assert types == {
        "ApiGatewayV2::Api",
        "ApiGatewayV2::Stage",
        "CloudWatch::Alarm",
        "EC2::SecurityGroup",
        "EC2::SubnetRouteTableAssociation",  # the second subnet has a route table of its own now
        "IAM::Role",
        "Lambda::Permission",
    }


def resources_of(template: Template, kind: str) -> list[dict[str, Any]]:
    found = template["Resources"].values()
    return [it["Properties"] for it in found if it["Type"] == kind]


def secret_of(aws: LocalAws) -> str:
    arn = aws.outputs("orders-service")["DatabaseSecretArn"]
    found = aws.client("secretsmanager").get_secret_value(SecretId=arn)
    return f"{arn} {found['SecretString']}"


KEPT = [
    {"layout": layout, "auth": auth, "network": network, "atlas_setup": "stack"}
    for layout, auth in (("single", "password"), ("multi-lambda", "iam"))
    for network in OPTIONS["network"]
]


@pytest.mark.slow
def test_kept_resources_are_sams(expanded: Expand, tmp_path: Path) -> None:
    """Of the same type, so that a stack of L1 constructs, which had SAM's logical IDs, is kept."""
    syntheses = []
    for answers in KEPT:
        folder = tmp_path / "-".join(answers.values())
        project = bake(folder, **answers, iac="cdk")
        keep(project.path)
        values = required(answers["network"], answers["atlas_setup"])
        syntheses.append(Synthesis(project, values, folder / "cdk.out"))
    synthesise(syntheses)
    for answers, synthesis in zip(KEPT, syntheses, strict=True):
        sam = expanded(**answers, iac="sam")["Resources"]
        kinds = {name: it["Type"] for name, it in synthesis.template["Resources"].items()}
        assert all(sam[name]["Type"] == kinds[name] for name in sam.keys() & kinds.keys())
        newer = {"Dashboard", "DatabaseSecretRotation", "RotationRole"}  # than L1 constructs
        replaced = {it["Type"] for name, it in sam.items() if name not in kinds.keys() | newer}
        assert replaced <= {
            "AWS::ApiGatewayV2::Api",
            "AWS::ApiGatewayV2::Stage",
            "AWS::CloudWatch::Alarm",
            "AWS::EC2::Route",  # to the peering, of the second subnet
            "AWS::EC2::SecurityGroup",
            "AWS::EC2::SecurityGroupEgress",
            "AWS::EC2::SecurityGroupIngress",
            "AWS::Lambda::Permission",
        }, answers


def shell(repository: Repository, project: Path, command: str) -> None:
    """Run a command of uvx with what is installed here."""
    local = command.replace("uvx ", "")
    repository.run("bash", "-euc", local, cwd=project, typed="y\n")


def make(repository: Repository, folder: Path, **answers: str) -> Path:
    """Make a project of the oldest release, under git."""
    oldest = list(releases())[-1]
    context = json.dumps(answers)
    repository.run(
        *("cruft", "create", str(repository.path), "--checkout", f"v{oldest}", "--no-input"),
        *("--extra-context", context, "--output-dir", str(folder)),
        cwd=folder,
    )
    project = folder / "orders-service"
    repository.git("init", "--quiet", cwd=project)
    commit(repository, project, "As baked")
    return project


def change(project: Path) -> None:
    """What owners do: a function, their own words in the README, another name for the stack."""
    package = project / "src/orders_service"
    (package / "functions/count_items.py").write_text(COUNT)
    (project / "tests/test_count.py").write_text(TEST)
    replace(package / "app.py", "import create_indexes,", "import count_items, create_indexes,")
    replace(
        package / "app.py",
        '    "create-indexes"',
        '    "GET /count": count_items.handler,\n    "create-indexes"',
    )
    replace(project / "template.yaml", "      Events:", f"      Events:{ROUTE.rstrip()}")
    replace(
        project / "README.md", "> Keeps the orders of our customers.", "> Everything about orders."
    )
    replace(project / "README.md", "\n## Test\n", "\n## Who to ask\n\nThe team.\n\n## Test\n")
    replace(
        project / "samconfig.toml", 'stack_name = "orders-service"', 'stack_name = "orders-live"'
    )


def rewrite(repository: Repository, project: Path, app: str) -> None:
    """Follow CHANGELOG.md: their function gets a router, which app.py as it now is gets, too."""
    assert "add its router to `ROUTERS` in `app.py`" in (TEMPLATE / "CHANGELOG.md").read_text(
        "utf-8"
    )
    (project / "src/orders_service/functions/count_items.py").write_text(COUNT_NOW)
    repository.git("checkout", "--quiet", "--theirs", app, cwd=project)
    replace(project / app, "import create_indexes,", "import count_items, create_indexes,")
    route = '    "GET /count": count_items.router,'
    replace(project / app, "ROUTERS = {\n", f"ROUTERS = {{\n{route}\n")


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert text.count(old) == 1, f"{path}: {old}"
    path.write_text(text.replace(old, new), "utf-8")


def commit(repository: Repository, project: Path, message: str) -> None:
    repository.git("add", "--all", cwd=project)
    repository.git("commit", "--quiet", "--message", message, cwd=project)


def cruft(repository: Repository, project: Path, *arguments: str, fails: bool = False) -> str:
    if fails:
        with pytest.raises(AssertionError) as failure:
            repository.run("cruft", *arguments, cwd=project)
        return str(failure.value)
    return repository.run("cruft", *arguments, cwd=project)


def resources(template: dict[str, Any]) -> set[tuple[str, str]]:
    """Logical names and types: what CloudFormation goes by."""
    return {(name, it["Type"]) for name, it in expand(template)["Resources"].items()}
