"""A bake over a project that is there already: what isn't the bake's stays as it is."""

import errno
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.baking import COOKIECUTTERS, TEMPLATE, TIDY, VERSIONS, judge

# In a project with iac=sam, layout=single and ci=none. Those below have the names of files that
# other answers yield.
THEIRS = [
    ".github/workflows/release.yml",
    ".github/CODEOWNERS",
    "infra/terraform/dns.tf",
    "src/orders_service/functions/__init__.py/not_a_file",
    ".github/workflows/ci.yml",
    ".github/dependabot.yml",
    "infra/app.py",
    "package.json",
    "scripts/new_function.py",
    "src/orders_service/functions/create_item.py",
    "tests/test_items.py",
]
ANSWERS = ("iac=sam", "layout=single", "ci=none")


class Person:
    """Somebody with a home, and a project under git."""

    def __init__(self, folder: Path, version: str = "current") -> None:
        self.folder = folder
        self.python = COOKIECUTTERS[version]
        self.project = folder / "orders-service"
        home = {"HOME": str(folder), "USERPROFILE": str(folder), "PWD": str(folder)}
        self.environment = {**os.environ, **TIDY, **home}

    def bake(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run Cookiecutter, which has the files of other answers written over theirs."""
        return self.run(str(self.python), "-m", "cookiecutter", str(TEMPLATE), *options)

    def bake_over(self, *options: str) -> str:
        """Bake over the project, and return what is printed."""
        done = self.bake("--overwrite-if-exists", *options)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def make(self, *files: str) -> None:
        """Make the project, and with it files of their own."""
        done = self.bake("--no-input", *ANSWERS)
        assert done.returncode == 0, done.stdout + done.stderr
        for name in files:
            (self.project / name).parent.mkdir(parents=True, exist_ok=True)
            (self.project / name).write_text(f"{name} is theirs\n")
        self.git("init", "--quiet")
        self.commit()

    def commit(self) -> None:
        self.git("add", "--all", "--force")
        self.git("commit", "--quiet", "--message", "Ours")

    def git(self, *arguments: str) -> str:
        who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com")
        done = self.run("git", "-C", str(self.project), *who, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def changes(self) -> list[str]:
        """What git sees: contents, links, permissions, files that are new, ignored ones too."""
        return self.git("status", "--short", "--ignored", "--untracked-files=all").splitlines()

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )


@pytest.mark.parametrize("version", VERSIONS)
def test_their_files_stay(version: str, tmp_path: Path) -> None:
    person = Person(tmp_path, version)
    person.make(*THEIRS)
    folders = {it for it in person.project.rglob("*/") if ".git/" not in f"{it}/"}
    for options in (["--replay"], ["--replay", "--skip-if-file-exists"]):
        person.bake_over(*options)
        assert person.changes == []
        assert {it for it in person.project.rglob("*/") if ".git/" not in f"{it}/"} == folders


@pytest.mark.slow
def test_what_the_bake_writes_is_replaced(tmp_path: Path) -> None:
    """And what an earlier one wrote for its answers stays: it may be theirs by now."""
    person = Person(tmp_path)
    person.make(*THEIRS)
    (person.project / "README.md").write_text("Theirs\n")
    person.commit()
    person.bake_over("--no-input", "iac=cdk", "layout=single", "ci=none")
    changed = {line[3:]: line[:2] for line in person.changes}
    assert changed["README.md"] == " M"
    assert changed["package.json"] == changed["infra/app.py"] == " M"
    assert changed["infra/stack.py"] == changed["cdk.json"] == "??"
    assert not {"template.yaml", "infra/terraform/dns.tf", ".github/workflows/ci.yml"} & {*changed}
    assert " D" not in changed.values()


@pytest.mark.skipif(sys.platform == "win32", reason="makes symbolic links")
def test_links_are_not_followed(tmp_path: Path) -> None:
    person = Person(tmp_path)
    person.make()
    shared = tmp_path / "shared"
    shared.mkdir()
    for name in ("app.py", "package.json"):
        (shared / name).write_text("theirs\n")
    (person.project / "infra").symlink_to("../shared")
    (person.project / "package.json").symlink_to("../shared/package.json")
    (person.project / "cdk.json").symlink_to("nowhere")
    person.commit()
    person.bake_over("--replay")
    assert person.changes == []
    assert {it.name: it.read_text() for it in shared.iterdir()} == {
        "app.py": "theirs\n",
        "package.json": "theirs\n",
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_a_refused_bake_touches_nothing(version: str, tmp_path: Path) -> None:
    person = Person(tmp_path, version)
    person.make(*THEIRS)
    done = person.bake("--no-input", "--overwrite-if-exists", "aws_region=Frankfurt")
    assert done.returncode == 1
    assert "aws_region must be" in done.stderr
    assert person.changes == []


def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    person = Person(tmp_path)
    person.make("infra")
    done = person.bake("--overwrite-if-exists", "--replay")
    [sentence] = done.stderr.splitlines()
    assert sentence == "infra must be a folder or not be there: the template has files in it."
    assert person.changes == []


@pytest.mark.slow
def test_a_bake_that_is_cut_off_loses_nothing(tmp_path: Path) -> None:
    """Cookiecutter fails here where it writes a file, after the files were moved aside."""
    person = Person(tmp_path)
    person.make(*THEIRS)
    (person.project / "AGENTS.md").unlink()
    (person.project / "AGENTS.md").symlink_to("nowhere/AGENTS.md")
    person.commit()
    assert person.bake("--overwrite-if-exists", "--replay").returncode != 0

    refused = person.bake("--overwrite-if-exists", "--replay")
    aside = Path(".cookiecutter-aside/files")
    [sentence] = refused.stderr.splitlines()
    assert sentence == f"{aside} has your files, from a bake that was cut off: move them back."
    for name in THEIRS:
        if (person.project / aside / name).is_file():
            (person.project / aside / name).replace(person.project / name)
    shutil.rmtree(person.project / aside.parent)
    person.git("mv", "AGENTS.md", "notes")
    person.commit()
    person.bake_over("--replay")
    assert [line for line in person.changes if not line.startswith("??")] == []


def test_files_that_cannot_be_moved_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full at the second one: the first comes back."""
    for name in ("cdk.json", "package.json"):
        (tmp_path / name).write_text("theirs\n")
    move, calls = shutil.move, []

    def full(source: str, target: str) -> None:
        calls.append(source)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        move(source, target)

    monkeypatch.setattr(shutil, "move", full)
    said = judge(tmp_path)
    assert re.fullmatch(r"Your files can't be kept .*: .*No space left on device\.", said)
    assert calls == ["cdk.json", "package.json", ".cookiecutter-aside/files/cdk.json"]
    assert {it.name for it in tmp_path.iterdir()} == {"cdk.json", "package.json"}
