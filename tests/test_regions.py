"""Every command asks of the stack and in the Region that the project is for, or that are given."""

import re

import pytest

from tests.conftest import Baker
from tests.support.baking import OPTIONS, TEMPLATE, combinations
from tests.support.documents import Document
from tests.support.here import NEEDS_A_SHELL
from tests.test_docs import commands

SUFFIX = {"multi": "", "multi-lambda": "-create-indexes"}


@NEEDS_A_SHELL
@pytest.mark.parametrize("layout", OPTIONS["layout"])
def test_make_asks_of_the_stack(layout: str, baked: Baker) -> None:
    project = baked(layout=layout, aws_region="eu-west-1")

    def command(*words: str) -> str:
        return project.run("make", "--just-print", *words).stdout

    given = ("stack=orders-service-staging", "region=eu-north-1")
    assert "--region eu-west-1 --stack-name orders-service " in command("url")
    assert "--region eu-north-1 --stack-name orders-service-staging " in command("url", *given)
    if layout in SUFFIX:
        end = f"{SUFFIX[layout]} /dev/stdout"
        expected = f"--region eu-west-1 --function-name orders-service{end}"
        assert expected in command("indexes")
        expected = f"--region eu-north-1 --function-name orders-service-staging{end}"
        assert expected in command("indexes", *given)


@pytest.mark.parametrize("answers", combinations("iac", "atlas_setup"))
def test_documents_name_the_region(answers: dict[str, str], baked: Baker) -> None:
    project = baked(**answers, layout="multi", network="peering", aws_region="eu-west-1")
    page = Document(project.path, project.path / "README.md")
    found = [it for it in commands(page) if it.startswith("aws ")]
    found += re.findall("`(aws [a-z].*?)`", project.read("README.md"))
    assert found or answers["iac"] == "sam"
    for command in found:
        assert "--region eu-west-1" in command or command.startswith("aws configure"), command


def test_pages_of_networks_name_the_region() -> None:
    pages = [Document(TEMPLATE, path) for path in sorted((TEMPLATE / "docs/networks").glob("*.md"))]
    found = [it for page in pages for it in commands(page) if it.startswith("aws ")]
    assert found
    assert all("--region us-east-1" in command for command in found)
