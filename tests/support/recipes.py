"""What people do who follow a recipe of a project's docs/recipes.md."""

import re
import subprocess

from tests.support.baking import BakedProject


def recipes(project: BakedProject) -> dict[str, str]:
    """The sections of the page, without what comes before the first."""
    _, *sections = re.split(r"^## (.*)\n", project.read("docs/recipes.md"), flags=re.MULTILINE)
    return dict(zip(sections[::2], sections[1::2], strict=True))


def follow(project: BakedProject, recipe: str) -> None:
    """Do what a recipe says: run its `make`, apply its patch, and have openapi.json follow.

    Others that it names are done.
    """
    for new in re.findall(r"First `make (new-function [^`]*)`", recipe):
        project.run("make", "--silent", "--old-file=.venv", "RUN=", *new.split())
    for patch in re.findall(r"```diff\n(.*?)```", recipe, re.DOTALL):
        done = subprocess.run(
            ["git", "apply", "--whitespace=error-all", "-"],
            cwd=project.path,
            input=patch,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr + patch
    if re.search(r"Then\s+run\s+`make\s+openapi`", recipe):
        project.run("make", "--silent", "--old-file=.venv", "RUN=", "openapi")
