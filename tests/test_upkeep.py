"""What keeps a project in order: line ends, git's hooks, and something that moves each version."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.conftest import Baker
from tests.support.baking import OPTIONS, TEMPLATE, BakedProject, bake
from tests.support.documents import Document
from tests.support.here import HERE, UV

# Where versions are pinned, and Dependabot's name for what moves them there.
PINS = {
    "uv.lock": ("uv", "/"),
    "package-lock.json": ("npm", "/"),
    "compose.yaml": ("docker-compose", "/"),
    ".github/requirements.txt": ("pip", "/.github"),
    ".github/workflows/ci.yml": ("github-actions", "/"),
}


@pytest.mark.parametrize("iac", OPTIONS["iac"])
def test_dependabot_moves_what_is_pinned(iac: str, baked: Baker) -> None:
    project = baked(iac=iac)
    updates = project.parse(".github/dependabot.yml")["updates"]
    moved = {(it["package-ecosystem"], it["directory"]) for it in updates}
    assert moved == {where for file, where in PINS.items() if file in project.files}
    pinned = {
        name
        for name in project.files
        if re.search(
            r"==\d|@[0-9a-f]{40} #|image: \S+:\d|\"integrity\"|registry = ", text(project, name)
        )
    }
    assert pinned - {".github/workflows/deploy.yml"} == PINS.keys() & project.files


def text(project: BakedProject, name: str) -> str:
    return "" if name.endswith(".md") else project.read(name)


@pytest.mark.parametrize("iac", OPTIONS["iac"])
def test_the_pipelines_have_the_tools_of_the_template(iac: str, baked: Baker) -> None:
    """The SAM CLI, uv and MongoDB in one version each, said once."""
    project = baked(iac=iac)
    pins = re.findall(r"(?m)^([\w-]+)==(\S+)$", project.read(".github/requirements.txt"))
    assert [name for name, _ in pins] == (["aws-sam-cli"] if iac == "sam" else []) + ["uv"]
    for name, version in pins:
        lock = TEMPLATE / "requirements" / f"{name.rpartition('-')[0][4:] or name}.txt"
        assert re.search(rf"(?m)^{name}=={version} ", lock.read_text("utf-8"))
    workflows = project.read(".github/workflows/ci.yml") + project.read(
        ".github/workflows/deploy.yml"
    )
    assert not re.search(r"\d+\.\d+\.\d+(?!.*uses)", re.sub("# v.*", "", workflows))
    assert "image:" not in workflows


def test_a_clone_on_windows_has_the_same_lines(tmp_path: Path) -> None:
    """Else a patch that is copied from docs/recipes.md doesn't apply."""
    project = bake(tmp_path / "made", layout="multi")
    clone = tmp_path / "clone"

    def git(*words: str, cwd: Path) -> None:
        identity = ("-c", "user.name=x", "-c", "user.email=x@example.com")
        subprocess.run(["git", *identity, *words], cwd=cwd, check=True, capture_output=True)

    git("init", "--quiet", cwd=project.path)
    git("add", "--all", cwd=project.path)
    git("commit", "--quiet", "-m", "Begin", cwd=project.path)
    windows = ("-c", "core.autocrlf=true", "-c", "core.eol=crlf")
    git(*windows, "clone", "--quiet", str(project.path), str(clone), cwd=tmp_path)
    assert not [
        it
        for it in clone.rglob("*")
        if it.is_file() and ".git/" not in str(it) and b"\r" in it.read_bytes()
    ]
    [patch, *_] = Document(clone, clone / "docs/recipes.md").blocks("diff")
    (clone / "recipe.diff").write_text(patch, "utf-8", newline="\n")
    git("apply", "--check", "recipe.diff", cwd=clone)


def test_pre_commit_does_what_make_lint_does(baked: Baker) -> None:
    """With uv's tools, so that there is no other version to move."""
    [local] = yaml.safe_load(baked().read(".pre-commit-config.yaml"))["repos"]
    entries = [it["entry"].replace(" --force-exclude", "") for it in local["hooks"]]
    recipe = re.search(r"^lint:.*\n((?:\t.+\n)+)", baked().read("Makefile"), re.MULTILINE)
    assert recipe
    commands = [line.strip("\t@") for line in recipe[1].splitlines()]
    assert entries == [it.replace("$(RUN)", "uv run").removesuffix(" --check") for it in commands]


def test_make_lists_every_command(baked: Baker) -> None:
    """For each layout and kind of infrastructure."""
    for iac in OPTIONS["iac"]:
        for layout in OPTIONS["layout"]:
            project = baked(iac=iac, layout=layout)
            done = project.run("make", env=UV)
            targets = set(re.findall(r"(?m)^\.PHONY: (\S+)$", project.read("Makefile")))
            assert set(re.findall(r"(?m)^  make (\S+) +\S", done.stdout)) == targets


def test_make_reads_a_dot_env(tmp_path: Path) -> None:
    """Which git ignores, and which needn't be there."""
    project = bake(tmp_path, **HERE)
    run = [
        "make",
        "--silent",
        "test",
        "RUN=uv run python -c 'import os; print(os.environ.get(\"X\"))' #",
    ]
    assert project.run(*run, env=UV).stdout == "None\n"
    (project.path / ".env").write_text("X=found\n")
    assert project.run(*run, env=UV).stdout == "found\n"
    assert ".env" in project.read(".gitignore").splitlines()


def test_the_assistants_page_is_short_and_true(baked: Baker) -> None:
    for iac in OPTIONS["iac"]:
        for layout in OPTIONS["layout"]:
            project = baked(iac=iac, layout=layout)
            page = project.read("AGENTS.md")
            assert len(page.splitlines()) <= 40
            for named in re.findall(r"`([\w./-]+/[\w./-]*|\w+\.(?:yaml|lock))`", page):
                assert (project.path / named).exists(), named
            assert "outside\nevery handler" in page
