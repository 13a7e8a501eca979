"""Every door into the template: the same answers yield the same project, to the byte."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.conftest import Baker
from tests.support.baking import PROMPTS, TEMPLATE, BakedProject, bake, bake_typed
from tests.support.here import SAM
from tests.support.repository import Repository

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


@dataclass(frozen=True)
class Person:
    """Somebody with a home of their own, and the template's repository."""

    repository: Repository
    home: Path

    def run(self, *command: str | Path, **environment: str) -> None:
        self.repository.run(
            *map(str, command), cwd=self.home, env={"HOME": str(self.home), **environment}
        )


def at_the_command_line(person: Person, answers: dict[str, str], cookiecutter: Path) -> None:
    given = [f"{name}={value}" for name, value in answers.items()]
    person.run(cookiecutter, TEMPLATE, "--no-input", "--output-dir", person.home / "first", *given)
    person.run(cookiecutter, TEMPLATE, "--replay", "--output-dir", person.home / "replayed")


def by_user_config(person: Person, answers: dict[str, str], cookiecutter: Path) -> None:
    """Somebody's own defaults."""
    config = person.home / "config.yaml"
    config.write_text(yaml.safe_dump({"default_context": answers}, allow_unicode=True), "utf-8")
    person.run(
        *(cookiecutter, TEMPLATE, "--no-input", "--output-dir", person.home / "out"),
        COOKIECUTTER_CONFIG=str(config),
    )


def by_python(person: Person, answers: dict[str, str], cookiecutter: Path) -> None:
    """The call that docs/doors.md shows."""
    program = "import json, sys\nfrom cookiecutter.main import cookiecutter\n" + (
        "cookiecutter(sys.argv[1], no_input=True, extra_context=json.loads(sys.argv[2]),"
        " output_dir='out')"
    )
    person.run(cookiecutter.with_name("python"), "-c", program, TEMPLATE, json.dumps(answers))


def by_cruft(person: Person, answers: dict[str, str], _: Path) -> None:
    person.run(
        *("cruft", "create", person.repository.path, "--no-input"),
        *("--output-dir", person.home / "out", "--extra-context", json.dumps(answers)),
    )
    [record] = (person.home / "out").glob("*/.cruft.json")
    record.unlink()  # cruft's own


def by_sam(person: Person, answers: dict[str, str], _: Path) -> None:
    person.run(
        *(SAM, "init", "--location", TEMPLATE, "--no-input"),
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
