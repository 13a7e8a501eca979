"""Looks whether all that is pinned can still be had, and should be: `make pins`.

Every lock has to resolve on each platform that it is for, with the files whose hashes it has, and
without a release that was yanked or deprecated since. The Python runtimes on offer have to be
Lambda's. Asks the package indexes that uv and npm are set up with, and downloads no package.
"""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from os import environ
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import cfnlint  # type: ignore[import-untyped]

TEMPLATE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TEMPLATE))

from scripts.refresh import UV, locked_answers, versions_only  # noqa: E402
from tests.support.baking import OPTIONS, bake  # noqa: E402

LIFECYCLE = Path(cfnlint.__file__).parent / "data/AdditionalSpecs/LmbdRuntimeLifecycle.json"
RUNTIMES = OPTIONS["python_version"]
LAMBDA = {"arm64": "aarch64-manylinux2014", "x86_64": "x86_64-manylinux2014"}
MACHINES = ("linux", "macos", "windows")
PACKAGE_LOCKS = (
    TEMPLATE / "templates/cdk/package-lock.json",
    *sorted((TEMPLATE / "requirements").glob("*/package-lock.json")),
)
ELSEWHERE = ("cookiecutter-2.6", "dev", "uv")
"""Environments of this repository that people have on other systems than Linux, too."""


class Target(NamedTuple):
    """A lock, and where what it names is installed."""

    lock: Path
    platform: str
    python: str
    wheels_only: bool = False  # as scripts/build.py of the projects installs


def targets(projects: Path) -> Iterator[Target]:
    """Yield every lock for every platform and Python that it is for.

    In the folder `projects`, `export` has written what those of the projects hold.
    """
    for lock in sorted(projects.glob("*.lambda.txt")):
        for architecture in OPTIONS["architecture"]:
            for python in RUNTIMES:
                yield Target(lock, LAMBDA[architecture], python, wheels_only=True)
    for lock in sorted(projects.glob("*.dev.txt")):
        yield from (Target(lock, machine, python) for machine in MACHINES for python in ends())
    for lock in sorted((TEMPLATE / "requirements").glob("*.txt")):
        machines = MACHINES if lock.stem in ELSEWHERE else MACHINES[:1]
        yield from (Target(lock, machine, python) for machine in machines for python in ends())


def export(lock: Path, answers: Mapping[str, str], projects: Path, cache: str) -> list[str]:
    """Write what the lock of a project holds, with hashes; return the versions that are gone.

    `NAME.lambda.txt` is what runs in Lambda, `NAME.dev.txt` that and the tools.
    """
    with TemporaryDirectory() as folder:
        project = bake(Path(folder), **answers)
        for kind, groups in (("lambda", ["--no-dev"]), ("dev", [])):
            command = [str(UV), "export", "--no-emit-project", "--python", sys.executable, *groups]
            text = project.run(*command, env={"UV_CACHE_DIR": cache}).stdout
            (projects / f"{lock.stem}.{kind}.txt").write_text(text, "utf-8")
        completed = versions(versions_only(project.read("uv.lock")))
    return [
        f"{lock.name}: {name} {version} is gone"
        for name, version in sorted(versions(lock.read_text("utf-8")) - completed)
    ]


def versions(lock: str) -> set[tuple[str, str]]:
    """Return names and versions in a uv.lock."""
    return {(it["name"], it["version"]) for it in tomllib.loads(lock)["package"]}


def ends() -> tuple[str, str]:
    """Return the oldest and the newest Python that people may have."""
    numbers = sorted(tuple(map(int, python.split("."))) for python in RUNTIMES)
    first, *_, last = (".".join(map(str, number)) for number in numbers)
    return first, last


def unresolved(target: Target, cache: str) -> list[str]:
    """Return what is wrong with a lock on a platform, by uv's word."""
    with TemporaryDirectory() as folder:
        done = uv(
            *("install", "--dry-run", "--python", sys.executable, "--target", folder),
            *("--python-platform", target.platform, "--python-version", target.python),
            *("--only-binary", ":all:") * target.wheels_only,
            *("--require-hashes", "--requirement", target.lock),
            cache=cache,
        )
    where = f"{target.lock.name} ({target.platform}, Python {target.python})"
    if done.returncode:
        return [f"{where} doesn't resolve:\n{done.stderr.strip()}"]
    return [
        f"{target.lock.name}: {found}" for found in re.findall(r"`\S+` is yanked.*", done.stderr)
    ]


def uv(*arguments: object, cache: str) -> subprocess.CompletedProcess[str]:
    """Run `uv pip`, with a cache of its own: an index may have changed its mind since last time."""
    return subprocess.run(
        [UV, "pip", *map(str, arguments)],
        env={**environ, "UV_CACHE_DIR": cache, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def missing_files(lock: Path, cache: str) -> list[str]:
    """Return the releases of which a lock has files that the package index doesn't have."""
    done = uv("compile", "--universal", "--no-deps", "--generate-hashes", lock, cache=cache)
    if done.returncode:
        return [f"{lock.name} doesn't resolve:\n{done.stderr.strip()}"]
    known = hashes(done.stdout)
    return [
        f"{lock.name}: files of {release} are gone, or others now"
        for release, files in hashes(lock.read_text("utf-8")).items()
        if not files <= known.get(release, set())
    ]


def hashes(requirements: str) -> dict[str, set[str]]:
    """Return the hashes in a requirements file by release."""
    lines = re.findall(r"^(\S+==\S+)((?:.*\\\n)*.*)$", requirements, re.MULTILINE)
    return {release: set(re.findall(r"--hash=(\S+)", rest)) for release, rest in lines}


def unavailable(lock: Path) -> list[str]:
    """Return what is wrong with the packages of a package-lock.json, by the npm registry's word."""
    faults = []
    for path, package in json.loads(lock.read_text("utf-8"))["packages"].items():
        if path:  # else the project itself
            name = f"{path.rpartition('node_modules/')[2]}@{package['version']}"
            done = subprocess.run(
                ["npm", "view", name, "deprecated", "dist.integrity", "--json"],
                capture_output=True,
                text=True,
                check=False,
            )
            known = json.loads(done.stdout or "{}")
            if isinstance(known, str):  # of one field that has a value npm prints the value alone
                known = {"dist.integrity": known}
            where = f"{lock.parent.name}/{lock.name}: {name}"
            if done.returncode:
                faults.append(f"{where}: {known.get('error', {}).get('summary', done.stderr)}")
            elif known["dist.integrity"] != package["integrity"]:
                faults.append(f"{where} is another file now")
            elif "deprecated" in known:
                faults.append(f"{where} is deprecated: {known['deprecated']}")
    return faults


def misplaced_runtimes() -> list[str]:
    """Return the runtimes on offer that Lambda has deprecated, and those of its that are newer.

    cfn-lint knows them, so it is the refresh of its version that brings the news.
    """
    lambdas = json.loads(LIFECYCLE.read_text("utf-8"))
    today = datetime.now(tz=UTC).date().isoformat()
    faults = []
    for runtime in sorted(lambdas):
        python = runtime.removeprefix("python")
        deprecated = lambdas[runtime]["deprecated"]
        if python in RUNTIMES and deprecated <= today:
            faults.append(f"Lambda deprecated Python {python} on {deprecated}: offer it no longer")
        elif re.fullmatch(r"3\.\d+", python) and python not in RUNTIMES and deprecated > today:
            faults.append(f"Lambda has Python {python}: offer it")
    return faults


def main() -> None:
    """Print what is wrong and end with 1, or say what was looked at."""
    answers = locked_answers()
    with (
        TemporaryDirectory() as cache,
        TemporaryDirectory() as projects,
        ThreadPoolExecutor(4) as threads,
    ):
        found = [export(lock, answers[lock], Path(projects), cache) for lock in answers]
        wanted = list(targets(Path(projects)))
        locks = sorted({target.lock for target in wanted})
        found += [
            *threads.map(lambda lock: missing_files(lock, cache), locks),
            *threads.map(lambda target: unresolved(target, cache), wanted),
            *threads.map(unavailable, PACKAGE_LOCKS),
        ]
    faults = [*sorted({fault for some in found for fault in some}), *misplaced_runtimes()]
    if faults:
        sys.exit("\n".join(faults))
    sys.stdout.write(
        f"{len(locks)} locks resolve, for {len(wanted)} combinations "
        f"of platform and Python, and {len(PACKAGE_LOCKS)} of npm; nothing in them was withdrawn\n"
    )


if __name__ == "__main__":
    main()
