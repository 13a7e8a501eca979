"""A project works where people put it, with the environments that they have there, and touches
nothing that it didn't make. Here uv makes the environment, by the lock, as on a reader's machine.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.baking import OPTIONS, BakedProject, bake
from tests.support.here import HERE, UV
from tests.support.mongod import Mongod
from tests.support.servers import listens, wait_until

pytestmark = pytest.mark.slow

# What uv may have of this machine; all else is the reader's own.
KEPT = ("PATH", "LANG", "SSL_CERT_FILE", "TMPDIR")
OF_UV = ("UV_INDEX", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")


@dataclass
class Reader:
    """Somebody with a home of their own, uv, and nothing set up."""

    home: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """All variables that a command has."""
        environment = {name: os.environ[name] for name in KEPT + OF_UV if name in os.environ}
        cache = os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache/uv"))
        environment |= {"HOME": str(self.home), "UV_CACHE_DIR": cache, "UV_LINK_MODE": "copy"}
        return environment | UV | self.variables

    def run(self, *command: str | Path, cwd: Path, check: bool = True) -> str:
        """Run a command and return what it says; AssertionError with that if it fails."""
        done = subprocess.run(
            [str(word) for word in command],
            cwd=cwd,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, f"{command}\n{done.stdout}"
        return done.stdout

    def build(self, project: Path, name: str) -> Path:
        """Build by the makefile that `sam build` calls; return the folder of that name."""
        self.run("make", "-f", "src/Makefile", "build-It", f"ARTIFACTS_DIR={name}", cwd=project)
        return project / name

    def calls(self, project: Path, path: str) -> int:
        """Serve it by `make local` and return the status of a GET."""
        serving = subprocess.Popen(
            ["make", "--silent", "local", "port=0"],
            cwd=project,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        with serving:
            try:
                assert serving.stdout
                said = next((line for line in serving.stdout if "Uvicorn running" in line), "")
                [address] = re.findall(r"http://127\.0\.0\.1:\d+", said)
                port = int(address.rpartition(":")[2])
                wait_until(lambda: listens(port), "server")
                with urllib.request.urlopen(address + path) as response:  # noqa: S310
                    return int(response.status)
            finally:
                os.killpg(serving.pid, signal.SIGTERM)

    def versions(self, project: Path, *run: str) -> dict[str, str]:
        """Names and versions of what Python finds there."""
        program = (
            "import importlib.metadata as m, json;"
            "print(json.dumps({it.name.lower().replace('_', '-'): it.version"
            " for it in m.distributions()}))"
        )
        said = self.run(*(run or ("uv", "run", "--no-sync", "python")), "-c", program, cwd=project)
        found: dict[str, str] = json.loads(said.splitlines()[-1])
        return found


@pytest.fixture
def reader(tmp_path: Path, mongod: Mongod) -> Reader:
    home = tmp_path / "home"
    home.mkdir()
    return Reader(home, {"MONGODB_URI": mongod.uri})


def locked(lock: Path) -> dict[str, str]:
    """Names and versions in a uv.lock, but for the project itself."""
    packages = tomllib.loads(lock.read_text("utf-8"))["package"]
    return {it["name"]: it["version"] for it in packages if "registry" in it["source"]}


def assert_by_the_lock(installed: Mapping[str, str], lock: Mapping[str, str]) -> None:
    """All that is installed has the locked version, but for what the lock doesn't know."""
    assert {"pymongo", "pytest", "ruff"} <= installed.keys()
    assert {name: version for name, version in installed.items() if name in lock} == {
        name: version for name, version in lock.items() if name in installed
    }


def virtual_environment(reader: Reader, folder: Path) -> dict[str, str]:
    """Make one as people do, with a package of theirs in it; return what it holds."""
    reader.run(sys.executable, "-m", "venv", folder, cwd=reader.home)
    install = (
        "uv",
        "pip",
        "install",
        "--quiet",
        "--python",
        folder,
        "itsdangerous",
        "pymongo<4.10",
    )
    reader.run(*install, cwd=reader.home)
    return reader.versions(reader.home, str(folder / "bin/python"))


def test_an_active_environment_is_left_alone(reader: Reader, tmp_path: Path) -> None:
    """Whatever made it active: activate, conda, or that uv may use the system's."""
    project = bake(tmp_path / "project", **HERE).path
    mine = tmp_path / "mine"
    before = virtual_environment(reader, mine)
    reader.variables |= {
        "VIRTUAL_ENV": str(mine),
        "CONDA_PREFIX": str(mine),
        "CONDA_DEFAULT_ENV": "mine",
        "UV_SYSTEM_PYTHON": "1",
        "PATH": f"{mine / 'bin'}{os.pathsep}{UV['PATH']}",
    }

    assert " passed" in reader.run("make", "test", cwd=project)

    assert reader.versions(reader.home, str(mine / "bin/python")) == before
    del reader.variables["VIRTUAL_ENV"]
    assert_by_the_lock(reader.versions(project), locked(project / "uv.lock"))


def test_uv_and_make_and_the_build_take_the_lock(reader: Reader, tmp_path: Path) -> None:
    """Also when the index has newer releases, as some months later."""
    project = bake(tmp_path / "project", **HERE).path
    lock = project / "uv.lock"
    older = {"pymongo": "4.18.0", "ruff": "0.14.3", "iniconfig": "2.1.0"}
    text = lock.read_text("utf-8")
    for name, version in older.items():
        text, count = re.subn(rf'(name = "{name}"\nversion) = ".*"', rf'\1 = "{version}"', text)
        assert count == 1, name
    lock.write_text(text, "utf-8")
    expected = locked(lock)

    assert " passed" in reader.run("uv", "run", "pytest", cwd=project)
    assert locked(lock) == expected
    assert_by_the_lock(reader.versions(project), expected)
    reader.run("make", "lint", "types", cwd=project)
    assert_by_the_lock(reader.versions(project), expected)
    code = reader.build(project, "code")
    built = dict(it.stem.rsplit("-", 1) for it in code.glob("*.dist-info"))
    assert built["pymongo"] == older["pymongo"]
    assert {name: expected[name.replace("_", "-")] for name in built} == built
    completed = lock.read_bytes()
    reader.run("make", "test", cwd=project)
    assert lock.read_bytes() == completed


def test_a_member_of_a_workspace(reader: Reader, tmp_path: Path) -> None:
    """The workspace owns the environment, and keeps what others have in it."""
    root = tmp_path / "workspace"
    project = bake(root / "services", **HERE).path
    (root / "pyproject.toml").write_text(
        '[project]\nname = "root"\nversion = "1"\nrequires-python = ">=3.11"\n'
        'dependencies = ["itsdangerous"]\n[tool.uv.workspace]\nmembers = ["services/*"]\n'
    )
    reader.run("uv", "sync", cwd=root)

    assert " passed" in reader.run("make", "test", cwd=project)
    reader.run("make", "lint", "types", cwd=project)
    assert reader.calls(project, "/") == 200
    assert list(reader.build(project, "code").glob("pymongo-*.dist-info"))

    assert not (project / ".venv").exists()
    installed = reader.versions(root)
    assert "itsdangerous" in installed
    assert_by_the_lock(installed, locked(root / "uv.lock"))


@pytest.mark.parametrize("made_by", ["UV_PROJECT_ENVIRONMENT", "python -m venv"])
def test_an_environment_that_something_else_made(
    made_by: str, reader: Reader, tmp_path: Path
) -> None:
    """It gets what is missing, and keeps what else it has."""
    project = bake(tmp_path / "project", **HERE).path
    folder = project / ".venv"
    if made_by == "UV_PROJECT_ENVIRONMENT":
        folder = tmp_path / "elsewhere"
        reader.variables["UV_PROJECT_ENVIRONMENT"] = str(folder)
    virtual_environment(reader, folder)

    assert " passed" in reader.run("make", "test", cwd=project)

    assert (project / ".venv").exists() == (folder == project / ".venv")
    installed = reader.versions(project, str(folder / "bin/python"))
    assert "itsdangerous" in installed
    assert_by_the_lock(installed, locked(project / "uv.lock"))


def test_the_chosen_python_is_used(reader: Reader, tmp_path: Path) -> None:
    """Or else uv says which one is missing; no other is taken for it."""
    other = next(it for it in OPTIONS["python_version"] if it != HERE["python_version"])
    reader.variables |= {
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_PYTHON_INSTALL_DIR": str(tmp_path),
        "PATH": only_this_python(tmp_path),
    }
    for version in (HERE["python_version"], other):
        project = bake(tmp_path / version, python_version=version).path
        said = reader.run("make", "types", cwd=project, check=False)
        if version == HERE["python_version"]:
            assert "Success" in said
            assert f"{version}." in reader.run("uv", "run", "python", "-V", cwd=project)
        else:
            assert f"No interpreter found for Python {version}" in said


def only_this_python(folder: Path) -> str:
    """A PATH with uv, what make needs, and no Python but this one."""
    programs = folder / "programs"
    programs.mkdir()
    for name in ("make", "sh", "uv"):
        found = shutil.which(name, path=UV["PATH"])
        assert found
        (programs / name).symlink_to(found)
    (programs / f"python{HERE['python_version']}").symlink_to(Path(sys.executable).resolve())
    return str(programs)


def test_within_other_folders(reader: Reader, tmp_path: Path) -> None:
    """In another git repository, under a path with spaces and other alphabets."""
    place = tmp_path / "Mes projets/заказы & co"
    place.mkdir(parents=True)
    reader.run("git", "init", "--quiet", cwd=place)
    project = bake(place, **HERE, layout="multi", auth="password").path

    assert " passed" in reader.run("make", "test", cwd=project)
    reader.run("make", "lint", "types", cwd=project)
    assert reader.calls(project, "/items") == 200
    assert list(reader.build(project, ".aws-sam").glob("pymongo-*.dist-info"))
    assert " passed" in reader.run("uv", "run", "--project", project, "pytest", project, cwd=place)
    status = reader.run("git", "status", "--porcelain", "--untracked-files=all", cwd=place)
    assert {line.split("/")[-1] for line in status.splitlines()} <= {
        Path(name).name for name in BakedProject(project, {}).files
    } | {""}
