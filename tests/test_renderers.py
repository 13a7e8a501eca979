"""Every door into the template: the same answers yield the same project, to the byte."""

import json
import re
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.conftest import Baker
from tests.support.baking import (
    PROMPTS,
    TEMPLATE,
    BakedProject,
    bake,
    bake_typed,
    context_of,
    render,
)
from tests.support.here import SAM
from tests.support.repository import ADDRESS, Repository, releases

CURRENT = Path(sys.executable).with_name("cookiecutter")
OLDEST = TEMPLATE / ".tools/cookiecutter-2.6/bin/cookiecutter"
PROSE = {"project_name": 'Müller & "Söhne"', "description": "50 % off: it's \\ ${new} # 1 ☕"}

ANSWERS = {
    "defaults": {},
    "prose": {**PROSE, "layout": "multi", "auth": "password", "network": "nat"},
    "cdk": {
        "project_name": "=1+1 <b> 'quoted' & co",
        "description": "[link](https://example.com)",
        "layout": "multi-lambda",
        "iac": "cdk",
        "network": "peering",
        "atlas_setup": "stack",
        "database_name": "größe",
        "python_version": "3.12",
        "architecture": "x86_64",
        "aws_region": "eu-central-1",
        "project_slug": "one-plus-one",
        "ci": "none",
    },
}


def test_typed_and_given(tmp_path: Path) -> None:
    typed = bake_typed(tmp_path / "typed", **PROSE)
    given = bake(tmp_path / "given", **PROSE)
    assert typed.contents == given.contents


def test_the_answers_of_a_project_make_it_again(tmp_path: Path) -> None:
    """As an update gives them all back, the derived ones too."""
    once = bake(tmp_path / "once", **PROSE, layout="multi", auth="password")
    assert set(once.answers) == set(PROMPTS)
    again = bake(tmp_path / "again", **once.answers)
    assert again.contents == once.contents


ADDRESSES = {
    "gh:ORG/atlas": "https://github.com/ORG/atlas",
    "gl:group/sub/atlas": "https://gitlab.com/group/sub/atlas",
    "bb:ORG/atlas": "https://bitbucket.org/ORG/atlas",
    "https://github.com/ORG/atlas.git": "https://github.com/ORG/atlas.git",
    "https://me:s3cret@git.example.com:8443/atlas": "https://git.example.com:8443/atlas",
    "https://s3cret@git.example.com": "https://git.example.com",
    "https://example.com/atlas.git?token=s3cret": "https://example.com/atlas.git",
    "git@github.com:ORG/atlas.git": "git@github.com:ORG/atlas.git",
    "ssh://git@example.com/ORG/atlas": "ssh://git@example.com/ORG/atlas",
    "ssh://me:s3cret@example.com/ORG/atlas": "ssh://me@example.com/ORG/atlas",
    "https://example.com/atlas.zip": "https://example.com/atlas.zip",
    "atlas": None,
    ".": None,
    "/home/me/atlas": None,
    "/home/me@work/a:b": None,
    "C:\\Users\\me\\atlas": None,
    "file:///home/me/atlas": None,
    "/home/me/atlas.zip": None,
    "ours:atlas": None,
}


@pytest.mark.parametrize("given", ADDRESSES)
def test_the_address_is_one_that_others_can_use(given: str) -> None:
    context = {**context_of(), "_template": given}
    address = ADDRESSES[given]
    assert json.loads(render(".answers.json", context)).get("template_address") == address
    [command] = re.findall(
        r"^uvx cruft link .*\n.*", render("docs/updates.md", context), re.MULTILINE
    )
    cloned = None if given.endswith(".zip") else address
    assert shlex.split(command)[-1] == (cloned or "REPOSITORY")


def test_the_checkout_is_recorded() -> None:
    context = {**context_of(), "_template": "gh:ORG/atlas", "_checkout": "v1.0.0"}
    assert json.loads(render(".answers.json", context))["template_checkout"] == "v1.0.0"
    assert "cruft link --no-input --checkout v1.0.0 " in render("docs/updates.md", context)


@dataclass(frozen=True)
class Person:
    """Somebody with a home of their own, and the template: here, or as if it were on GitHub."""

    repository: Repository
    home: Path
    template: str = str(TEMPLATE)

    def run(self, *command: str | Path, **environment: str) -> None:
        git = {"GIT_CONFIG_GLOBAL": str(self.repository.home / ".gitconfig")}
        env = {"HOME": str(self.home), "PWD": str(self.home), **git, **environment}
        self.repository.run(*map(str, command), cwd=self.home, env=env, typed="\n" * 20)


def at_the_command_line(person: Person, answers: dict[str, str], cookiecutter: Path) -> None:
    given = [f"{name}={value}" for name, value in answers.items()]
    call = (cookiecutter, person.template, "--output-dir")
    person.run(*call, person.home / "first", "--no-input", *given)
    person.run(*call, person.home / "replayed", "--replay")


def by_user_config(person: Person, answers: dict[str, str], cookiecutter: Path) -> None:
    """Somebody's own defaults."""
    config = person.home / "config.yaml"
    config.write_text(yaml.safe_dump({"default_context": answers}, allow_unicode=True), "utf-8")
    person.run(
        *(cookiecutter, person.template, "--no-input", "--output-dir", person.home / "out"),
        COOKIECUTTER_CONFIG=str(config),
    )


def by_python(person: Person, answers: dict[str, str], cookiecutter: Path) -> None:
    """The call that docs/doors.md shows."""
    program = "import json, sys\nfrom cookiecutter.main import cookiecutter\n" + (
        "cookiecutter(sys.argv[1], no_input=True, extra_context=json.loads(sys.argv[2]),"
        " output_dir='out')"
    )
    person.run(
        cookiecutter.with_name("python"), "-c", program, person.template, json.dumps(answers)
    )


def by_cruft(person: Person, answers: dict[str, str], _: Path) -> None:
    here = person.template == str(TEMPLATE)  # which may have changes that cruft would miss
    person.run(
        *("cruft", "create", person.repository.path if here else ADDRESS, "--no-input"),
        *("--output-dir", person.home / "out", "--extra-context", json.dumps(answers)),
    )
    [record] = (person.home / "out").glob("*/.cruft.json")
    record.unlink()  # cruft's own


def by_sam(person: Person, answers: dict[str, str], _: Path) -> None:
    person.run(
        *(SAM, "init", "--location", person.template, "--no-input"),
        *("--output-dir", person.home / "out", "--extra-context", json.dumps(answers)),
        SAM_CLI_TELEMETRY="0",
    )


Door = Callable[[Person, dict[str, str], Path], None]
DOORS: dict[str, tuple[Door, Path]] = {
    "cookiecutter, --replay": (at_the_command_line, CURRENT),
    "cookiecutter 2.6, --replay": (at_the_command_line, OLDEST),
    "user config": (by_user_config, CURRENT),
    "user config, 2.6": (by_user_config, OLDEST),
    "Python, 2.6": (by_python, OLDEST),  # that of now bakes what they are compared with
    "cruft create": (by_cruft, CURRENT),
    "sam init": (by_sam, Path(SAM)),
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return Repository(tmp_path_factory.mktemp("repository"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("door", DOORS)
def test_every_door(
    door: str, name: str, baked: Baker, repository: Repository, tmp_path: Path
) -> None:
    enter, program = DOORS[door]
    enter(Person(repository, tmp_path), ANSWERS[name], program)
    expected = baked(**ANSWERS[name])
    projects = list(tmp_path.glob(f"*/{expected.path.name}"))
    assert len(projects) == (2 if enter is at_the_command_line else 1)
    for project in projects:
        assert BakedProject(project, {}).contents == expected.contents


@pytest.mark.slow
@pytest.mark.parametrize("door", DOORS)
def test_every_door_leaves_the_address(
    door: str, baked: Baker, repository: Repository, tmp_path: Path
) -> None:
    """And changes nothing else."""
    enter, program = DOORS[door]
    enter(Person(repository, tmp_path, "gh:ORG/cookiecutter-atlas-lambda"), {}, program)
    context = {**context_of(), "_template": ADDRESS}
    changed = {
        name: render(name, context).encode() for name in (".answers.json", "docs/updates.md")
    }
    assert all(ADDRESS.encode() in content for content in changed.values())
    for project in tmp_path.glob("*/orders-service"):
        assert BakedProject(project, {}).contents == {**baked().contents, **changed}


@pytest.mark.slow
def test_replays_of_the_oldest_release_bake_the_newest(
    repository: Repository, tmp_path: Path
) -> None:
    """So a derived value can't be added that needs an answer: Cookiecutter would not have it."""
    person = Person(repository, tmp_path, "gh:ORG/cookiecutter-atlas-lambda")
    oldest = f"v{list(releases())[-1]}"
    person.run(CURRENT, person.template, "--checkout", oldest, "--no-input", "layout=multi")
    person.run(CURRENT, person.template, "--replay", "--overwrite-if-exists")
    answers = json.loads((tmp_path / "orders-service/.answers.json").read_text("utf-8"))
    assert (answers["layout"], answers["iac"]) == ("multi", "sam")
