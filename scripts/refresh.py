"""Refreshes what is pinned: `make refresh`, or `make lock` for the part that needs no git host.

Locks, of this repository and of the projects, come from the package indexes that uv and npm are
set up with; the versions that the generated pipelines install follow from them. Actions are pinned
by the commit of their newest release, which `git ls-remote` tells.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from os import environ, pathsep
from pathlib import Path
from tempfile import TemporaryDirectory

TEMPLATE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TEMPLATE))

from tests.support.baking import OPTIONS, bake  # noqa: E402

UV = TEMPLATE / ".tools/uv/bin/uv"
REQUIREMENTS = TEMPLATE / "requirements"
PROJECT = TEMPLATE / "{{cookiecutter.project_slug}}"

LOCKED = ("auth", "iac", "atlas_setup")
"""The answers that a project's locks depend on."""

PIN = re.compile(r"(?P<action>[\w.-]+/[\w.-]+)(?P<path>[\w./-]*)@[0-9a-f]{40} # v[\d.]+")
RELEASE = re.compile(r"(?P<commit>[0-9a-f]{40})\trefs/tags/v(?P<version>\d+\.\d+\.\d+)(\^\{\})?")


def lock_environments() -> None:
    """Write requirements/*.txt, the environments of `make setup`."""
    for source in sorted(REQUIREMENTS.glob("*.in")):
        run(
            *(UV, "pip", "compile", "--quiet", "--upgrade", "--universal", "--generate-hashes"),
            *("--python-version", "3.11", "--custom-compile-command", "make lock"),
            *(source.relative_to(TEMPLATE), "-o", source.with_suffix(".txt")),
            cwd=TEMPLATE,
        )


def lock_node_tools() -> None:
    """Write the package-lock.json of each tool from npm, without naming a registry's host."""
    tools = sorted(path.parent for path in REQUIREMENTS.glob("*/package.json"))
    for folder in [*tools, TEMPLATE / "templates/cdk"]:
        run(
            *("npm", "update", "--package-lock-only", "--silent"),
            "--omit-lockfile-registry-resolved",
            cwd=folder,
        )


def lock_projects() -> None:
    """Write templates/requirements, by the `make lock` of a project for each answer."""
    folder = TEMPLATE / "templates/requirements"
    for auth, iac, atlas_setup in product(*(OPTIONS[name] for name in LOCKED)):
        if (iac, atlas_setup) == ("sam", "stack"):
            continue  # as with cli
        name = f"{auth}-{iac}" + ("-stack" if atlas_setup == "stack" else "")
        tools = folder / f"dev/{name}.txt"
        tools.touch()  # so that a new choice can be baked
        with TemporaryDirectory() as temporary:
            project = bake(Path(temporary), auth=auth, iac=iac, atlas_setup=atlas_setup)
            path = f"{UV.parent}{pathsep}{environ['PATH']}"
            project.run("make", "lock", env={"PATH": path})
            shutil.copy(project.path / "src/requirements.txt", folder / f"{auth}.txt")
            shutil.copy(project.path / "requirements-dev.txt", tools)


def write_versions() -> None:
    """Write templates/versions.j2 from the locks."""
    path = TEMPLATE / "templates/versions.j2"
    text = path.read_text("utf-8")
    for name, (lock, package) in {"uv": ("uv", "uv"), "sam": ("sam", "aws-sam-cli")}.items():
        new = f'set {name} = "{locked_version(REQUIREMENTS / f"{lock}.txt", package)}"'
        text, count = re.subn(rf'set {name} = ".*?"', new, text)
        assert count == 1, name
    path.write_text(text, "utf-8")


def locked_version(lock: Path, package: str) -> str:
    """Return the version of a package in a requirements file."""
    found = re.search(rf"^{re.escape(package)}==(\S+)", lock.read_text("utf-8"), re.MULTILINE)
    assert found, f"{package} isn't in {lock}"
    return found[1]


def pin_actions(git_host: str = "https://github.com") -> None:
    """Pin each action of the workflows, here and in the projects, to its newest release."""
    releases: dict[str, tuple[str, str]] = {}

    def newest(pin: re.Match[str]) -> str:
        action = pin["action"]
        if action not in releases:
            releases[action] = newest_release(f"{git_host}/{action}")
        commit, version = releases[action]
        return f"{action}{pin['path']}@{commit} # v{version}"

    for path in workflows():
        path.write_text(PIN.sub(newest, path.read_text("utf-8")), "utf-8")


def workflows() -> Iterator[Path]:
    """Yield every file that may use an action."""
    for root in (TEMPLATE / ".github", PROJECT / ".github", TEMPLATE / "templates/github"):
        yield from sorted(root.rglob("*.yml"))


def newest_release(repository: str) -> tuple[str, str]:
    """Return the commit and the version of the highest tag vX.Y.Z of a git repository."""
    done = run("git", "ls-remote", "--tags", repository, cwd=TEMPLATE)
    commits = {
        # An annotated tag is listed twice: itself, and then ^{}, the commit.
        tuple(map(int, tag["version"].split("."))): tag["commit"]
        for tag in map(RELEASE.fullmatch, done.splitlines())
        if tag
    }
    version = max(commits)
    return commits[version], ".".join(map(str, version))


def run(*command: object, cwd: Path) -> str:
    """Run a command and return what it prints; end with its exit status if it fails."""
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"failed: {' '.join(map(str, command))}")
    return done.stdout


if __name__ == "__main__":
    lock_environments()
    lock_node_tools()
    write_versions()
    lock_projects()
    if sys.argv[1:] != ["--locks"]:
        pin_actions()
