"""What the build makes for Lambda's Python and processor, whatever this machine's are."""

import os
import re
import struct
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from tests.support.baking import OPTIONS, TEMPLATE, BakedProject, bake
from tests.support.here import HERE, UV

pytestmark = pytest.mark.slow

SAM = str(TEMPLATE / ".tools/sam/bin/sam")
MACHINES = {"x86_64": 62, "arm64": 183}  # e_machine in an ELF header
UNCHECKED_HASH = 0b01  # PEP 552's flags in a .pyc


def build(project: BakedProject, output: Path, **environment: str) -> str:
    command = [sys.executable, "scripts/build.py", str(output)]
    return project.run(*command, env=UV | environment).stdout


def machines(folder: Path) -> set[int]:
    """The processors of all extension modules."""
    return {struct.unpack_from("<H", it.read_bytes(), 18)[0] for it in folder.rglob("*.so")}


@pytest.mark.parametrize(
    ("python", "processor"), [*product(OPTIONS["python_version"], OPTIONS["architecture"])]
)
def test_wheels_are_lambdas(python: str, processor: str, tmp_path: Path) -> None:
    """Those of the lock, all of them, in their versions."""
    project = bake(tmp_path, python_version=python, architecture=processor)
    code = tmp_path / "code"
    build(project, code)

    assert machines(code) == {MACHINES[processor]}
    tag = f"cpython-{python.replace('.', '')}-"
    for extension in code.rglob("*.so"):
        assert tag in extension.name or ".abi3." in extension.name
    installed = {
        re.sub("[-_.]+", "-", name).lower(): version
        for name, version in (folder.stem.split("-") for folder in code.glob("*.dist-info"))
    }
    command = ["uv", "export", "--quiet", "--no-dev", "--no-emit-project", "--frozen"]
    locked = project.run(*command, env=UV).stdout
    assert installed == dict(re.findall(r"(?m)^([\w.-]+)==(\S+)", locked))


def test_sam_build_of_the_defaults(tmp_path: Path) -> None:
    """Which Lambda runs on arm64, and with a Python that this machine needn't have."""
    project = bake(tmp_path)
    project.run(SAM, "build", env=UV)

    assert machines(project.path / ".aws-sam") == {MACHINES[project.answers["architecture"]]}


def test_a_wheel_with_another_hash_is_refused(tmp_path: Path) -> None:
    project = bake(tmp_path, **HERE)
    project.run("uv", "lock", "--python", sys.executable, env=UV)
    lock = project.path / "uv.lock"
    lock.write_text(re.sub("sha256:[0-9a-f]{8}", "sha256:00000000", lock.read_text("utf-8")))

    done = project.run(
        sys.executable, "scripts/build.py", str(tmp_path / "code"), env=UV, check=False
    )

    assert done.returncode != 0
    assert "Hash mismatch" in done.stderr
    assert "Traceback" not in done.stderr


def test_bytecode_is_taken_without_a_look_at_the_source(tmp_path: Path) -> None:
    """Whose date is another in Lambda's copy."""
    project = bake(tmp_path, **HERE)
    code = tmp_path / "code"
    build(project, code)

    for source in code.rglob("*.py"):
        cached = source.parent / "__pycache__" / f"{source.stem}.{sys.implementation.cache_tag}.pyc"
        assert struct.unpack_from("<I", cached.read_bytes(), 4) == (UNCHECKED_HASH,)
    (code / project.package / "connection.py").write_text("raise ImportError")
    command = [sys.executable, "-c", f"import {project.package}.connection"]
    subprocess.run(command, cwd=code, check=True)


def test_without_lambdas_python_there_is_no_bytecode(tmp_path: Path) -> None:
    version = next(it for it in OPTIONS["python_version"] if it != HERE["python_version"])
    here = [TEMPLATE / ".tools/uv/bin", Path(sys.executable).parent]
    environment = {
        "PATH": os.pathsep.join(map(str, here)),
        "UV_PYTHON_INSTALL_DIR": str(tmp_path / "none"),
    }
    code = tmp_path / "code"

    said = build(bake(tmp_path, python_version=version), code, **environment)

    assert said.splitlines() == [
        f"No Python {version} here to compile with, so cold starts will be slower.",
        f"To get it: uv python install {version}",
    ]
    assert list(code.rglob("*.py"))
    assert not list(code.rglob("*.pyc"))
