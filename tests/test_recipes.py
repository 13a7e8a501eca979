"""Each recipe of a project's docs/recipes.md is a patch that the project's own checks pass with."""

import itertools
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Baker, MypyCache
from tests.support.baking import PAIRED, BakedProject, combinations
from tests.support.mongod import Mongod
from tests.support.recipes import follow, recipes
from tests.support.templates import cdk_template, sam_template

# Every place that a patch may find: with and without a VPC, a password, tokens, Atlas's resources.
AROUND = (
    {"auth": "iam", "api_auth": "jwt", "atlas_setup": "stack", "network": "nat"},
    {"auth": "password", "api_auth": "iam", "atlas_setup": "cli", "network": "public"},
)
PROJECTS = [
    pytest.param({**base.values[0], **rest}, id=f"{base.id}/{'/'.join(rest.values())}")
    for base, rest in zip(
        combinations("layout", "iac"), itertools.cycle((*AROUND, *reversed(AROUND))), strict=False
    )
    if base.id != "web/cdk"  # where they are multi/cdk's and web/sam's
]


def copy(project: BakedProject, folder: Path) -> BakedProject:
    """A copy that may be changed."""
    return BakedProject(Path(shutil.copytree(project.path, folder)), project.answers)


@pytest.mark.slow  # for their number
@pytest.mark.parametrize(
    "answers",
    [
        *combinations("layout", "auth", "iac"),
        *combinations("iac", "network", "atlas_setup"),
        *PAIRED,
    ],
)
def test_each_recipe_applies(answers: dict[str, str], baked: Baker, tmp_path: Path) -> None:
    """Alone, without a fixer after it."""
    project = baked(**answers)
    for number, recipe in enumerate(recipes(project).values()):
        if not recipe.lstrip().startswith("First "):  # those take a while
            follow(copy(project, tmp_path / str(number)), recipe)
    for command in (["check"], ["format", "--check"]):
        project.run("ruff", *command, str(tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("answers", PROJECTS)
def test_the_checks_pass_with_all_recipes(
    answers: dict[str, str], baked: Baker, mongod: Mongod, mypy_cache: MypyCache, tmp_path: Path
) -> None:
    project = copy(baked(**answers), tmp_path / "project")
    for recipe in recipes(project).values():
        follow(project, recipe)

    project.run("ruff", "check")
    project.run("ruff", "format", "--check")
    project.run("mypy", "src", "scripts", "tests", env=mypy_cache(project))
    tests = project.run(sys.executable, "-m", "pytest", "-q", env={"MONGODB_URI": mongod.uri})
    assert " passed" in tests.stdout
    if answers["iac"] == "sam":
        (tmp_path / "expanded.json").write_text(json.dumps(sam_template(project)), "utf-8")
        lint = ["cfn-lint", "template.yaml", str(tmp_path / "expanded.json")]
        project.run(*lint, "--non-zero-exit-code", "warning", "--region", "us-east-1")
        template = sam_template(project)
    else:
        template = cdk_template(project, tmp_path / "cdk.out")
    if answers["layout"] != "single":
        check_schedule(project, template)


def check_schedule(project: BakedProject, template: dict[str, dict[str, Any]]) -> None:
    """Whoever keeps the time may invoke its function, and nothing else."""
    prefix = "RemoveOldItems" if project.answers["layout"] == "multi-lambda" else ""
    resources = template["Resources"].values()
    if project.answers["iac"] == "cdk":
        [_] = [it for it in resources if it["Type"] == "AWS::Events::Rule"]
        [let] = [it for it in resources if it.get("Properties", {}).get("Principal") == EVENTS]
        assert let["Properties"]["Action"] == "lambda:InvokeFunction"
        assert re.search(f"'{prefix}Function[0-9A-F]{{8}}'", str(let["Properties"]["FunctionName"]))
        assert "Nightly" in str(let["Properties"]["SourceArn"])
        return
    [_] = [it for it in resources if it["Type"] == "AWS::Scheduler::Schedule"]
    [role] = [it for it in resources if "scheduler.amazonaws.com" in str(it)]
    actions = re.findall(r"lambda:\w+|'\*'", str(role))
    assert actions == ["lambda:InvokeFunction"]
    assert f"'{prefix}Function'" in str(role)


EVENTS = "events.amazonaws.com"
