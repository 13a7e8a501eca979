"""Every command that people are shown is run, and one that nothing runs is found.

`test_every_command_is_run` collects the commands of all documents. The READMEs of some projects are
followed from top to bottom, in bash, against a local AWS and Atlas's control plane, with the real
CLIs of AWS and a stand-in for `atlas`. APART says what runs the others.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests.conftest import Baker
from tests.support.atlas import Atlas
from tests.support.atlas_control_plane import ControlPlane
from tests.support.baking import CORE, PAIRED, TEMPLATE, bake, combinations
from tests.support.desk import Desk
from tests.support.documents import Document, documents, template_documents
from tests.support.here import HERE, SAM, UV
from tests.support.local_aws import LocalAws
from tests.support.mongod import Mongod
from tests.support.repository import Repository

FOLLOWED = {
    "sam": {"layout": "multi", "auth": "password", "network": "nat", "ci": "github"},
    "cdk": {"iac": "cdk", "network": "peering", "atlas_setup": "stack", "ci": "none"},
}
"""The projects whose READMEs are followed."""

CALL = "$(make url)"
"""What the block has that calls the deployed service."""

SHELL = ("sh", "bash", "shell", "console")

# Commands that can't be followed: they don't end, need Docker or a git host, or start from nothing.
# And what runs them: a test in tests/, found by its text. A pattern is for a whole line.
APART = {
    r"make local|MONGODB_URI=\S+ make local|curl --data .* http://127\.0\.0\.1:3000/.*": (
        "test_local.py: def test_serves("
    ),
    r"export MONGODB_URI=.*|uv run uvicorn .*": (
        "test_local.py: def test_the_web_application_runs_behind_any_server("
    ),
    r"uvx schemathesis run .*": "test_contract.py: def test_keeps_to_its_contract(",
    r"docker compose up .*|MONGODB_URI=.* sam local start-api .*": (
        "test_docs.py: def test_docker_is_told_what_there_is("
    ),
    r"repository=\$\(gh .*|(sam|aws cloudformation) deploy --template.*deploy-role\.yaml .*": (
        "test_pipelines.py: Run the command of docs/github.md"
    ),
    r'make deploy options="--jwt-.*': "test_bearer_tokens.py: def test_make_deploy_",
    r'token=.*|curl --header "Authorization: Bearer .*': "test_bearer_tokens.py: def follow(",
    r"make deploy env=\w+": "test_deploy_command.py: def test_environments_have_their_own(",
    r"gh variable set .*": "test_pipelines.py: variables = {",
    r"uvx cruft (link|update) .*": "test_updates.py: def test_a_project_made_without_cruft(",
    r"cruft update .*": "test_updates.py: def test_a_stack_is_kept_when_its_project_moves",
    r"uvx (cookiecutter|cruft create) .*|sam init .*": "test_docs.py: def test_every_way_in(",
}

# Commands of the template's own documents.
OURS = {
    r"make (check|test|setup|demo|bench|lock|refresh|clean)|.* -m pytest .*": (
        "test_docs.py: def test_make_has_the_target("
    ),
    r"\.venv/bin/cookiecutter .*|git (tag|push) .*": (
        "test_docs.py: def test_contributing_and_releasing("
    ),
}
ELSEWHERE = APART | OURS


def commands(document: Document) -> list[str]:
    """Return the commands of the blocks in a document, each on one line, without comments."""
    return [command for block in document.blocks(*SHELL) for command in lines(block)]


def lines(block: str) -> list[str]:
    spaced = (re.sub(r"(^|\s)#\s.*$", "", it) for it in block.replace("\\\n", " ").splitlines())
    return [command for line in spaced if (command := " ".join(line.split()))]


def matches(table: Mapping[str, str], command: str) -> bool:
    return any(re.fullmatch(pattern, command) for pattern in table)


@pytest.fixture(scope="module")
def readmes(baked: Baker) -> dict[str, Document]:
    """Documents of the projects that differ in what they show."""
    answers = [it.values[0] for it in combinations()]
    answers += [it.values[0] for it in [*combinations("ci", "iac", "layout"), *PAIRED]]
    found = {}
    for each in answers:
        for document in documents(baked(**each).path):
            found[f"{document.name} of {each}"] = document
    return found


@pytest.fixture(scope="module")
def shown(readmes: dict[str, Document]) -> dict[str, str]:
    """Each command, and a document that shows it."""
    everything = {document.name: document for document in template_documents()} | readmes
    return {it: name for name, document in everything.items() for it in commands(document)}


def test_every_command_is_run(shown: dict[str, str], baked: Baker) -> None:
    followed = set[str]()
    for answers in FOLLOWED.values():
        for document in documents(baked(**answers).path):
            followed.update(generic(it) for it in commands(document))
    unknown = {
        command: name
        for command, name in shown.items()
        if generic(command) not in followed
        and not matches(APART if " of " in name else ELSEWHERE, command)
    }
    assert unknown == {}


def generic(command: str) -> str:
    """Return the command as the other projects show it: by the same name, for the same path."""
    return re.sub(r'"\$url/\w*"', '"$url/"', command)


@pytest.mark.parametrize("pattern", ELSEWHERE)
def test_what_is_run_elsewhere_is(pattern: str, shown: dict[str, str]) -> None:
    """Else the table could claim what isn't so, or isn't so any more."""
    assert any(re.fullmatch(pattern, command) for command in shown)
    file, _, text = ELSEWHERE[pattern].partition(": ")
    assert text in (TEMPLATE / "tests" / file).read_text("utf-8")


def test_a_command_that_nothing_runs_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("1. Do\n\n   ```sh\n   sam build # now\n   aws s3 rb \\\n     s3://x\n   ```\n")
    found = commands(Document(tmp_path, page))
    assert found == ["sam build", "aws s3 rb s3://x"]
    assert not matches(ELSEWHERE, found[1])


@pytest.mark.parametrize(
    ("others", "names"),
    [
        ({}, CORE),
        pytest.param(
            {"api_auth": "jwt"}, ("layout", "network", "atlas_setup"), marks=pytest.mark.slow
        ),
        pytest.param(
            {"api_auth": "jwt", "snapstart": "yes", "auth": "password", "atlas_setup": "stack"},
            ("layout", "iac", "network"),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_readme_is_a_ten_minute_page(
    others: dict[str, str], names: tuple[str, ...], baked: Baker
) -> None:
    for one in combinations(*names):
        readme = baked(**others, **one.values[0]).read("README.md")
        assert len(readme.splitlines()) <= 150, one.id


def test_make_has_the_target(shown: dict[str, str]) -> None:
    """They run these tests, or are run by CI: here, that they are there."""
    makefile = (TEMPLATE / "Makefile").read_text("utf-8")
    for command in shown:
        if re.fullmatch(r"make \w+", command) and " of " not in shown[command]:
            assert re.search(rf"^{command.split()[1]}:", makefile, re.MULTILINE), command


@pytest.mark.slow
def test_every_way_in(tmp_path: Path) -> None:
    """The commands of README.md and docs/doors.md, with a clone in the place of the git host."""
    repository = Repository(tmp_path / "repository")
    page = Document(TEMPLATE, TEMPLATE / "docs/doors.md")
    tools = {"PATH": f"{Path(SAM).parent}{os.pathsep}{repository.environment['PATH']}"}
    [python] = page.blocks("python")
    [team] = page.blocks("yaml")
    (tmp_path / "team.yaml").write_text(team, "utf-8")
    script(tmp_path / "repository/uvx", 'exec "$@"')
    tools["PATH"] = f"{tmp_path / 'repository'}{os.pathsep}{tools['PATH']}"
    readme = Document(TEMPLATE, TEMPLATE / "README.md")
    ways = [it for it in commands(page) + commands(readme) if not it.startswith("make")]
    ways += [f"python -c {shlex.quote(python)}"]
    for way in ways:
        local = re.sub(r"(gh:|https://github\.com/)ORG/[\w-]+", str(repository.path), way)
        assert local != way
        made = repository.run("bash", "-euc", local, cwd=tmp_path, env=tools, typed="\n" * 20)
        [project] = [it.parent for it in tmp_path.glob("*/.answers.json")]
        answers = json.loads((project / ".answers.json").read_text("utf-8"))
        assert answers["network"] == ("peering" if "team" in way else "private-endpoint"), made
        if "--no-input" not in way:  # the next way replays this one
            shutil.rmtree(project)


@pytest.mark.slow
def test_contributing_and_releasing(tmp_path: Path) -> None:
    """What contributors run to see a bake, and to publish a version."""
    repository = Repository(tmp_path)
    repository.git("init", "--quiet", "--bare", str(tmp_path / "origin"))
    repository.git("remote", "set-url", "origin", str(tmp_path / "origin"))
    repository.git("config", "push.autoSetupRemote", "true")
    (repository.path / ".venv").symlink_to(Path(sys.executable).parents[1])
    for name, start in {"CONTRIBUTING.md": ".venv/bin/cook", "docs/releasing.md": "git "}.items():
        page = Document(TEMPLATE, TEMPLATE / name)
        found = [command for command in commands(page) if command.startswith(start)]
        assert found
        for command in found:
            repository.run("bash", "-euc", command, cwd=repository.path)
    assert (repository.path / ".build/bakes/orders-service/README.md").is_file()
    assert "v1.0.0" in repository.git("tag", cwd=tmp_path / "origin")


def test_pre_commit_is_make_check() -> None:
    """Each of its commands, in its order."""
    makefile = (TEMPLATE / "Makefile").read_text("utf-8")
    recipe = re.search(r"^check:.*\n((?:\t.+\n)+)", makefile, re.MULTILINE)
    assert recipe
    config = yaml.safe_load((TEMPLATE / ".pre-commit-config.yaml").read_text("utf-8"))
    hooks = [hook["entry"] for repository in config["repos"] for hook in repository["hooks"]]
    assert [line.strip("\t@") for line in recipe[1].splitlines()] == hooks


@pytest.mark.slow
def test_docker_is_told_what_there_is(baked: Baker) -> None:
    """No Docker here: the service that is named exists, and the SAM CLI knows the options."""
    project = baked(iac="sam", auth="password")
    compose = yaml.safe_load(project.read("compose.yaml"))
    text = " ".join(commands(Document(project.path, project.path / "docs/local.md")))
    [host, port] = re.findall(r"MONGODB_URI=\"mongodb://([^:]+):(\d+)/", text)[0]
    [published] = compose["services"][host]["ports"]
    assert re.fullmatch(rf"127\.0\.0\.1:\$\{{MONGODB_PORT-{port}\}}:{port}", published)
    options = re.findall(r"sam local start-api (--[\w-]+)", text)
    done = project.run(SAM, "local", "start-api", "--help")
    assert options
    assert all(option in done.stdout for option in options)


class Reader:
    """Somebody who follows a README, with a new home, the programs that it asks for, and no
    variables of ours.
    """

    def __init__(self, desk: Desk, folder: Path, mongod: Mongod) -> None:
        self.project, aws = desk.project, desk.plane.aws
        programs = desk.programs
        (programs / "aws").symlink_to(TEMPLATE / ".tools/aws/bin/aws")
        (programs / "npx").unlink()
        for name in ("node", "npm", "npx"):
            (programs / name).symlink_to(Path(sys.executable).with_name(name))
        # The API's public name leads to the local AWS, which has no certificate for it.
        local = f"s#https://(\\w+)\\.execute-api[^/]*#http://\\1.execute-api.{aws.endpoint[7:]}#"
        port = aws.endpoint.rpartition(":")[2]
        script(
            programs / "curl",
            f"""mapped=(--fail --silent --connect-to "::127.0.0.1:{port}")
            for it in "$@"; do mapped+=("$(sed -E '{local}' <<< "$it")"); done
            exec {shutil.which("curl")} "${{mapped[@]}}"
            """,
        )
        (folder / ".cdk.json").write_text('{"requireApproval": "never"}')
        kept = {it: os.environ[it] for it in ("LANG", "SSL_CERT_FILE") if it in os.environ}
        kept |= {name: value for name, value in os.environ.items() if name.startswith("UV_INDEX")}
        stands_in = ("CONTROL_PLANE", "TEST_EXECUTE_API", "PYTHONPATH")
        self.environment: Mapping[str, str] = {
            **kept,
            **aws.environment,
            **{name: desk.environment[name] for name in stands_in},
            "HOME": str(folder),
            "MONGODB_URI": mongod.uri,
            "PATH": f"{programs}:{UV['PATH']}",
            "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache/uv")),
            "npm_config_cache": str(Path.home() / ".npm"),
        }

    def does(self, block: str, typed: str = "y\n" * 3) -> str:
        """Run a block in bash, and answer what it asks; AssertionError with what it says."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=self.project.path,
            env=self.environment,
            input=typed,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
        return done.stdout


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/usr/bin/env bash\n{text}\n")
    path.chmod(0o755)


@pytest.mark.slow
@pytest.mark.parametrize("name", FOLLOWED)
def test_follow_the_readme(
    name: str, atlas: Atlas, aws: LocalAws, mongod: Mongod, tmp_path: Path
) -> None:
    """Every block from top to bottom, as it stands; in the end, the service has responded."""
    answers = FOLLOWED[name]
    project = bake(tmp_path / "project", **HERE, **answers, project_slug=f"orders-{name}")
    plane = ControlPlane(atlas, aws)
    with plane.served() as port:
        reader = Reader(Desk(tmp_path / "desk", project, plane, port), tmp_path, mongod)
        said: dict[str, str] = {}
        for block in Document(project.path, project.path / "README.md").blocks(*SHELL):
            if not any(matches(APART, command) for command in lines(block)):
                said[block] = reader.does(block, KEY if "/dev/stdin" in block else "")
    [response] = [text for block, text in said.items() if CALL in block]
    assert json.loads(response) in ({"items": [], "next": None}, {"database": "app", "ping": 1.0})


KEY = '{"PublicKey": "abcdefgh", "PrivateKey": "01234567-89ab-cdef-0123-456789abcdef"}'
