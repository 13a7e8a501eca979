"""What this machine can run."""

import os
import platform
import sys
from pathlib import Path

import pytest

from tests.support.baking import TEMPLATE, BakedProject

HERE = {
    "python_version": f"{sys.version_info.major}.{sys.version_info.minor}",
    "architecture": {"aarch64": "arm64"}.get(platform.machine(), platform.machine()),
}
"""Answers with which a build's bytecode and extension modules are this interpreter's."""

UV = {"PATH": f"{TEMPLATE / '.tools/uv/bin'}{os.pathsep}{os.environ['PATH']}"}
"""An environment in which builds find the template's uv."""

SAM = str(TEMPLATE / ".tools/sam/bin/sam")
"""The SAM CLI."""

NEEDS_A_SHELL = pytest.mark.skipif(
    sys.platform == "win32", reason="runs make, or stand-ins that are shell scripts"
)
"""For tests of what people on Windows do in WSL."""


def build(project: BakedProject, output: Path, **environment: str) -> str:
    """Run the project's build script for the chosen processor; return what it prints."""
    command = (sys.executable, "scripts/build.py", str(output), project.answers["architecture"])
    return project.run(*command, env=UV | environment).stdout
