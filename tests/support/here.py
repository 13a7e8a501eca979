"""What this machine can run."""

import os
import platform
import re
import sys
from pathlib import Path

import pytest

from tests.support.baking import TEMPLATE, BakedProject, bake

HERE = {
    "python_version": f"{sys.version_info.major}.{sys.version_info.minor}",
    "architecture": {"aarch64": "arm64"}.get(platform.machine(), platform.machine()),
}
"""Answers with which a build's bytecode and extension modules are this interpreter's."""

SNAPSTART_HERE = {
    **HERE,
    "snapstart": "yes",
    "python_version": HERE["python_version"] if sys.version_info >= (3, 12) else "3.13",
}
"""The same for SnapStart, which Lambda has for Python 3.12 and newer: see `bake_here`."""

UV = {"PATH": f"{TEMPLATE / '.tools/uv/bin'}{os.pathsep}{os.environ['PATH']}"}
"""An environment in which builds find the template's uv."""

SAM = str(TEMPLATE / ".tools/sam/bin/sam")
"""The SAM CLI."""

NEEDS_A_SHELL = pytest.mark.skipif(
    sys.platform == "win32", reason="runs make, or stand-ins that are shell scripts"
)
"""For tests of what people on Windows do in WSL."""


def bake_here(folder: Path, **answers: str) -> BakedProject:
    """Bake a project whose builds are this interpreter's.

    With SnapStart it may be older than any that the project can have. What Lambda is asked for is
    then another than what the code is built for.
    """
    if answers.get("snapstart") != "yes":
        return bake(folder, **HERE, **answers)
    project = bake(folder, **SNAPSTART_HERE | answers)
    (project.path / ".python-version").write_text(f"{HERE['python_version']}\n", "utf-8")
    if project.answers["iac"] == "cdk":
        code = project.path / "infra/code.py"
        asked = f'PYTHON = "{project.answers["python_version"]}"'
        code.write_text(re.sub("(?m)^PYTHON = .*", asked, code.read_text("utf-8")), "utf-8")
    return project


def build(project: BakedProject, output: Path, **environment: str) -> str:
    """Run the project's build script for the chosen processor; return what it prints."""
    command = (sys.executable, "scripts/build.py", str(output), project.answers["architecture"])
    return project.run(*command, env=UV | environment).stdout
