"""Somebody's desk: a project, and the programs that deploy it, signed in to AWS and Atlas."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.atlas_control_plane import ControlPlane
from tests.support.baking import TEMPLATE, TIDY, BakedProject
from tests.support.here import UV

_SUPPORT = Path(__file__).parent
_CDK = TEMPLATE / ".tools/cdk/node_modules/.bin/cdk"


class Desk:
    """Runs `scripts/deploy.py` of a project, with the real SAM and CDK CLIs.

    `plane`, which is served at `port`, is the Atlas that `atlas` leads to.
    """

    def __init__(self, folder: Path, project: BakedProject, plane: ControlPlane, port: int) -> None:
        self.project, self.plane = project, plane
        self.programs = folder / "programs"
        self.programs.mkdir(parents=True)
        self.program("atlas", f'exec {sys.executable} -S {_SUPPORT / "atlas_program.py"} "$@"')
        self.program("sam", f'exec {TEMPLATE / ".tools/sam/bin/sam"} "$@"')
        node = Path(sys.executable).with_name("node")
        self.program("npx", f'shift; exec {node} {_CDK} "$@"')
        local = plane.aws.environment
        path = f"{self.programs}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{UV['PATH']}"
        search = f"{_SUPPORT / 'outside'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
        self.environment: Mapping[str, str] = {
            **os.environ,
            **TIDY,
            **local,
            "PATH": path,
            "PYTHONPATH": search,
            "CONTROL_PLANE": str(port),
            "TEST_EXECUTE_API": local["AWS_ENDPOINT_URL"].rpartition(":")[2],
        }

    def program(self, name: str, text: str) -> None:
        """Put a shell script on the PATH."""
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
        path.chmod(0o755)

    def keep_builds(self) -> None:
        """Have `sam build` build once; the CDK does so anyway."""
        built = '[ "$1" = build ] && [ -d .aws-sam/build ]'
        self.program("sam", f'{built} || exec {TEMPLATE / ".tools/sam/bin/sam"} "$@"')

    def run(self, *arguments: str, typed: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run the script; it can't ask."""
        return subprocess.run(
            [sys.executable, "scripts/deploy.py", *arguments],
            cwd=self.project.path,
            env=self.environment,
            input=typed or "",
            capture_output=True,
            text=True,
            check=False,
        )

    def run_until(self, step: str, *arguments: str) -> None:
        """Run the script, and kill it and what it runs when it begins a step."""
        process = subprocess.Popen(
            [sys.executable, "scripts/deploy.py", *arguments],
            cwd=self.project.path,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert process.stdout
        said = b""
        while character := process.stdout.read(1):
            said += character
            if f"\n{said.decode(errors='replace')}".endswith(f"\n{step:<16} "):
                break
        else:
            raise AssertionError(f"{step} isn't begun:\n{said.decode()}")
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
