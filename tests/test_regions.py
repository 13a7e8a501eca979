"""Every command asks of the stack and in the Region that the project is for, or that are given."""

import re

import pytest

from tests.conftest import Baker
from tests.support.baking import OPTIONS, combinations
from tests.support.documents import documents
from tests.support.here import NEEDS_A_SHELL
from tests.test_docs import commands


@NEEDS_A_SHELL
@pytest.mark.parametrize("layout", OPTIONS["layout"])
def test_make_asks_of_the_environment(layout: str, baked: Baker) -> None:
    project = baked(layout=layout)
    targets = ["deploy", "destroy", "url", *(["indexes"] if layout != "single" else [])]
    for target in targets:
        script = f"python scripts/deploy.py {target}"
        done = project.run("make", "--just-print", target, "--old-file=node_modules")
        assert f"{script} \n" in re.sub(" +", " ", done.stdout)
        given = ("env=staging", "region=eu-west-1", "options=--dry-run")
        done = project.run("make", "--just-print", target, "--old-file=node_modules", *given)
        expected = f"{script} staging --region eu-west-1 --dry-run\n"
        assert expected in re.sub(" +", " ", done.stdout)


@pytest.mark.parametrize("answers", combinations("iac", "atlas_setup"))
def test_documents_name_the_region(answers: dict[str, str], baked: Baker) -> None:
    project = baked(**answers, layout="multi", network="peering", aws_region="eu-west-1")
    found = []
    for page in documents(project.path):
        found += [it for it in commands(page) if it.startswith("aws ")]
        found += re.findall("`(aws [a-z].*?)`", page.path.read_text("utf-8"))
    assert found or (answers["iac"], answers["atlas_setup"]) == ("sam", "cli")
    for command in found:
        assert "--region eu-west-1" in command or command.startswith("aws configure"), command
