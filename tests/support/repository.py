"""The template as a git repository that people make projects from, with its releases tagged."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from tests.support.baking import TEMPLATE, TIDY

_CONFIG = """
[user]
    name = Somebody
    email = somebody@example.com
[init]
    defaultBranch = main
[safe]
    directory = *
[url "file://{path}"]
    insteadOf = {address}
    insteadOf = {address}.git
"""
ADDRESS = "https://github.com/ORG/cookiecutter-atlas-lambda"
"""Where documents say that the template is: git finds the clone there."""


def releases() -> dict[str, str]:
    """Version and commit of every release that CHANGELOG.md lists, newest first."""
    text = (TEMPLATE / "CHANGELOG.md").read_text("utf-8")
    heading = r"^## (\d+\.\d+\.\d+) - \d{4}-\d\d-\d\d\n\nCommit `([0-9a-f]{40})`"
    return dict(re.findall(heading, text, re.MULTILINE))


class Repository:
    """A clone of this repository whose `main` is the work tree as it is now, changes included.

    The releases have their tags there, whatever tags this clone of the template has.
    """

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.path = folder / "cookiecutter-atlas-lambda"
        self.home.mkdir(parents=True)
        (self.home / ".gitconfig").write_text(_CONFIG.format(path=self.path, address=ADDRESS))
        self.git("clone", "--quiet", "--no-checkout", str(TEMPLATE), str(self.path), cwd=TEMPLATE)
        self.git("symbolic-ref", "HEAD", "refs/heads/now")  # not a branch that there may be
        for version, commit in releases().items():
            self._tag(f"v{version}", commit)
        tree = {"GIT_WORK_TREE": str(TEMPLATE)}
        self.git("add", "--all", env=tree)
        self.git("commit", "--quiet", "--allow-empty", "--message", "As it is now", env=tree)
        self.git("branch", "--force", "main", "now")
        self.git("switch", "--quiet", "--force", "main")

    @cached_property
    def environment(self) -> Mapping[str, str]:
        """Of somebody who has git set up, and nothing else."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        home = {"HOME": str(self.home), "XDG_CONFIG_HOME": str(self.home / ".config")}
        return {**os.environ, **TIDY, **home, "PATH": path, "GIT_CONFIG_NOSYSTEM": "1"}

    def git(self, *arguments: str, cwd: Path | None = None, env: Mapping[str, str] = {}) -> str:
        """Run git in the clone or in `cwd`, and return what it prints."""
        return self.run("git", *arguments, cwd=cwd or self.path, env=env)

    def run(self, *command: str, cwd: Path, env: Mapping[str, str] = {}, typed: str = "") -> str:
        """Run a command and return what it prints; AssertionError with that if it fails."""
        done = subprocess.run(
            command,
            cwd=cwd,
            env={**self.environment, **env},
            input=typed,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}"
        return done.stdout

    def _tag(self, name: str, commit: str) -> None:
        try:
            self.git("tag", "--force", name, commit)
        except AssertionError as error:
            sentence = f"{name}, {commit}, isn't in this clone: it needs git's whole history."
            raise AssertionError(sentence) from error
