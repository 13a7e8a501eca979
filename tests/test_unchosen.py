"""Nothing of an answer that wasn't chosen, nor of who wrote the template, is in a project."""

import re
from pathlib import PurePosixPath

import pytest
from jinja2 import TemplateNotFound, UndefinedError

from tests.conftest import Baker
from tests.support.baking import (
    CORE,
    OPTIONS,
    PAIRED,
    TEMPLATE,
    BakedProject,
    combinations,
    context_of,
    render,
)

# What only the projects with that answer have: a pattern of paths and lines, whatever their case.
TRACES: dict[str, dict[str, str]] = {
    "layout": {
        "single": r"GET /(?!items|new-function|docs|openapi)\b|test_app\b",
        "multi": r"ROUTERS = \{",
        "multi-lambda": r"CreateItemFunction|-create-item\b",
        "web": r"fastapi|mangum|proxy\+",
    },
    "auth": {
        "iam": r"MONGODB-AWS|pymongo\[aws\]|AWSIAMType",
        "password": r"SECRET_ARN|DatabaseSecret|RotationAdmin|RotationRole|test_rotation|"
        r"rotated password",
    },
    "iac": {
        "sam": r"\bsam\b|AWS::Serverless|samconfig|template\.yaml",
        "cdk": r"\bcdk\b|aws[-_]cdk|jsii|node_modules",
    },
    "network": {
        "private-endpoint": r"AtlasEndpoint|-pl-0|privateEndpoints",
        "peering": r"peering",
        "nat": r"NatGateway|NAT gateway",
        "public": r"0\.0\.0\.0/0, every|whole internet",
    },
    "atlas_setup": {
        "cli": r"dbusers",
        "stack": r"MongoDB::Atlas|AtlasClusterName|atlas-bootstrap|resources_mongodbatlas",
    },
    "api_auth": {
        "iam": r"SigV4|IamAuthorizer|execute-api:Invoke",
        "jwt": r"Jwt|bearer|caller_of|test_caller|CORS",
    },
    "snapstart": {"no": r"(?!)", "yes": r"snap_?start|snapshot|AutoPublish|Qualifier"},
    "ci": {
        "github": r"from GitHub|github\.com/actions|\bgh\b|dependabot|workflow",
        "none": r"(?!)",
    },
}


def lines(project: BakedProject) -> list[str]:
    """Every path and line, but for what locks name and the answers themselves."""
    found = [f"{name}:" for name in sorted(project.files)]
    for name in sorted(project.files):
        if PurePosixPath(name).suffix != ".lock" and name not in (
            ".answers.json",
            "package-lock.json",
        ):
            found += [f"{name}:{line}" for line in project.read(name).splitlines()]
    return found


def traces(project: BakedProject) -> list[str]:
    """Lines that only a project with another answer should have."""
    patterns = [
        (f"{option}={choice}", re.compile(pattern, re.IGNORECASE))
        for option, choices in TRACES.items()
        if option in project.answers
        for choice, pattern in choices.items()
        if choice != project.answers[option]
    ]
    return [
        f"{answer}: {line}"
        for line in lines(project)
        for answer, pattern in patterns
        if pattern.search(line)
    ]


@pytest.mark.slow  # for their number
@pytest.mark.parametrize("answers", [*combinations(), *combinations("ci", "auth"), *PAIRED])
def test_no_trace_of_other_answers(baked: Baker, answers: dict[str, str]) -> None:
    assert traces(baked(**answers)) == []


@pytest.mark.parametrize("option", [option for option in TRACES if option in OPTIONS])
def test_each_pattern_is_found_where_it_belongs(baked: Baker, option: str) -> None:
    """Else a pattern could pass for being wrong."""
    assert set(TRACES[option]) == set(OPTIONS[option])
    for choice, pattern in TRACES[option].items():
        text = "\n".join(lines(baked(**{option: choice})))
        assert re.search(pattern, text, re.IGNORECASE) or pattern == r"(?!)", (choice, pattern)


@pytest.mark.slow
@pytest.mark.parametrize("answers", combinations())
def test_no_trace_of_the_authors(baked: Baker, answers: dict[str, str]) -> None:
    """Neither the template's name nor whose it is, by its licence."""
    holder = re.search(r"Copyright \(c\) \d+ (.+)", (TEMPLATE / "LICENSE").read_text("utf-8"))
    assert holder
    pattern = re.compile(rf"cookiecutter|{re.escape(holder[1])}", re.IGNORECASE)
    assert [line for line in lines(baked(**answers)) if pattern.search(line)] == []


@pytest.mark.parametrize("option", [name for name in (*CORE, "api_auth") if name != "iac"])
def test_no_choice_is_the_default_of_sams_template(option: str) -> None:
    """A new one that nobody has written a file for doesn't come out as another."""
    with pytest.raises((TemplateNotFound, UndefinedError)):
        render("template.yaml", {**context_of(), option: "new"})
