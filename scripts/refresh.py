"""Refreshes what is pinned: `make refresh`, or `make lock` for the part that needs no git host.

Locks, of this repository and of the projects, come from the package indexes that uv and npm are
set up with; the versions that the generated pipelines install follow from them. Actions are pinned
by the commit of their newest release, which `git ls-remote` tells.
"""

import json
import re
import subprocess
import sys
import tomllib
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
LOCKS = TEMPLATE / "templates/uv.lock"
PROJECT = TEMPLATE / "{{cookiecutter.project_slug}}"

LOCKED = ("layout", "auth", "iac", "atlas_setup")
"""The answers that a project's locks depend on."""

CODE = {"single": "single", "multi": "multi", "multi-lambda": "multi", "web": "web"}
"""The part of their names that the layout makes."""

SNAPSTART = LOCKS / "snapstart.lock"
"""What each lock has beyond that with snapstart=yes."""

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
    """Write templates/uv.lock, by the `make lock` of a project for each answer."""
    for lock, answers in locked_answers().items():
        if not lock.exists():  # a new choice
            lock.write_text("version = 1\nrequires-python = '>=3.11'\n", "utf-8")
        with TemporaryDirectory() as temporary:
            project = bake(Path(temporary), **answers)
            (project.path / ".python-version").unlink()  # any will do
            path = f"{UV.parent}{pathsep}{environ['PATH']}"
            project.run("make", "lock", env={"PATH": path})
            text = versions_only(project.read("uv.lock"))
            lock.write_text(added(text) if lock == SNAPSTART else text, "utf-8")


def locked_answers() -> dict[Path, dict[str, str]]:
    """Return each file of templates/uv.lock, with the answers of a project that begins with it."""
    found = {}
    for values in product(*(OPTIONS[name] for name in LOCKED)):
        answers = dict(zip(LOCKED, values, strict=True))
        if (answers["iac"], answers["atlas_setup"]) != ("sam", "stack"):  # which is as cli
            code = CODE[answers["layout"]]
            stack = "-stack" if answers["atlas_setup"] == "stack" else ""
            found[LOCKS / f"{code}-{answers['auth']}-{answers['iac']}{stack}.lock"] = answers
    return found | {SNAPSTART: {"snapstart": "yes"}}


def describe_projects() -> None:
    """Write templates/openapi.json, by the `make openapi` of a project for each answer."""
    layouts = {"powertools": "multi", "fastapi": "web"}
    for (framework, layout), api_auth in product(layouts.items(), OPTIONS["api_auth"]):
        with TemporaryDirectory() as temporary:
            project = bake(Path(temporary), layout=layout, api_auth=api_auth)
            project.run(sys.executable, "scripts/openapi.py")
            title = json.dumps(project.answers["project_name"])
            text = project.read("openapi.json")
            assert text.count(f'"title": {title}') == 1
            text = text.replace(title, "{{ cookiecutter.__project_name_literal }}")
            part = TEMPLATE / f"templates/openapi.json/{framework}-{api_auth}.json"
            part.write_text(text, "utf-8")


def versions_only(lock: str) -> str:
    """Return a uv.lock without what is of one index: its address, and those of the files.

    uv prefers the versions of a lock that it has to write anew, so it completes this one with the
    index that it is set up with: https://docs.astral.sh/uv/concepts/projects/sync/
    """
    content = tomllib.loads(lock)
    text = f"version = 1\nrequires-python = {json.dumps(content['requires-python'])}\n"
    for package in content["package"]:
        if "registry" in package["source"]:  # else it is the project itself
            text += f"\n[[package]]\nname = {json.dumps(package['name'])}\n"
            text += f"version = {json.dumps(package['version'])}\n"
            text += 'source = { registry = "." }\n'
            if markers := package.get("resolution-markers"):
                text += f"resolution-markers = {json.dumps(markers)}\n"
    return text


def added(lock: str) -> str:
    """Return the packages that a lock of versions has beyond those of the default answers."""
    begin = "\n[[package]]\n"
    [usual, *_] = locked_answers()
    known = usual.read_text("utf-8").split(begin)
    return begin.join(["", *(it for it in lock.split(begin) if it not in known)]).lstrip()


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
    for root in (TEMPLATE / ".github", PROJECT / ".github", TEMPLATE / "templates/.github"):
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
    describe_projects()
    if sys.argv[1:] != ["--locks"]:
        pin_actions()
