"""What `make deploy` remembers of an environment, in samconfig.toml or in cdk.json."""

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.support.baking import BakedProject, bake

# How people say parameters, all of which the SAM CLI takes.
SAYINGS = [
    "'ClusterHost=a.b.net VpcCidr=\"10.1.0.0/16\"'",
    "['ClusterHost=a.b.net', 'VpcCidr=10.1.0.0/16']",
    "{ ClusterHost = 'a.b.net', VpcCidr = '10.1.0.0/16' }",
    "'ParameterKey=ClusterHost,ParameterValue=a.b.net VpcCidr=10.1.0.0/16'",
]
GIVEN = {"ClusterHost": "a.b.net", "VpcCidr": "10.1.0.0/16"}


AS_THE_USER = "Größe → 大"


def ask(project: BakedProject, environment: str, program: str, region: str = "") -> Any:
    """Run a program with an environment `it`, and return what it prints, from JSON."""
    start = "import json, sys; sys.path.append('scripts'); from environment import Environment"
    start += f"; it = Environment({environment!r}, {region!r})"
    done = project.run(sys.executable, "-c", f"{start}; {program}")
    return json.loads(done.stdout or "null")


SHOW = "print(json.dumps([it.stack, it.region, it.project, it.settings]))"


@pytest.mark.parametrize("saying", SAYINGS)
def test_parameters_are_read_as_they_are_said(saying: str, tmp_path: Path) -> None:
    project = bake(tmp_path)
    with (project.path / "samconfig.toml").open("a", encoding="utf-8") as file:
        file.write(f"parameter_overrides = {saying}\n")
    assert ask(project, "default", SHOW) == ["orders-service", "us-east-1", "", GIVEN]


def test_samconfig_keeps_what_is_not_remembered(tmp_path: Path) -> None:
    project = bake(tmp_path)
    path = project.path / "samconfig.toml"
    comments = [it for it in path.read_text("utf-8").splitlines() if it.startswith("#")]
    path.write_text(f"# Ours.\n{path.read_text('utf-8')}", "utf-8")

    ask(project, "default", "it.project = '1'; it.settings['ClusterHost'] = 'a.b.net'; it.save()")
    ask(project, "staging", "it.project = '2'; it.save()", region="eu-west-1")

    text = path.read_text("utf-8")
    assert text.startswith("# Ours.\n")
    assert all(comment in text for comment in comments)
    found = tomllib.loads(text)
    ours, theirs = (found[it]["deploy"]["parameters"] for it in ("default", "staging"))
    assert ours.pop("parameter_overrides") == ["ClusterHost=a.b.net"]
    assert ours.pop("confirm_changeset")
    assert theirs == {**ours, "parameter_overrides": []}
    assert found["staging"]["global"]["parameters"] == {
        "stack_name": "orders-service-staging",
        "region": "eu-west-1",
    }
    assert ask(project, "staging", SHOW)[:3] == ["orders-service-staging", "eu-west-1", "2"]
    for environment in ("default", "staging"):
        ask(project, environment, "it.save()")
    assert path.read_text("utf-8") == text


def test_cdk_json_keeps_what_is_not_remembered(tmp_path: Path) -> None:
    project = bake(tmp_path, iac="cdk")
    path = project.path / "cdk.json"
    before = json.loads(path.read_text("utf-8"))
    before["context"]["example"] |= {"Note": AS_THE_USER}
    path.write_text(json.dumps(before, indent=2, ensure_ascii=False), "utf-8")

    ask(project, "staging", "it.project = '2'; it.settings['ClusterHost'] = 'a.b.net'; it.save()")

    after = json.loads(path.read_text("utf-8"))
    assert after["context"].pop("atlas:staging") == "2"
    assert after["context"]["staging"].pop("ClusterHost") == "a.b.net"
    del before["context"]["staging"]["ClusterHost"]
    assert after == before
    assert AS_THE_USER in path.read_text("utf-8")
    assert len(path.read_text("utf-8").splitlines()) == len(project.read("cdk.json").splitlines())
    text = path.read_text("utf-8")
    ask(project, "staging", "it.save()")
    assert path.read_text("utf-8") == text


def test_production_has_the_name_of_the_service(tmp_path: Path) -> None:
    for iac in ("sam", "cdk"):
        project = bake(tmp_path / iac, iac=iac)
        assert ask(project, "production", SHOW)[0] == "orders-service"


def test_waiting_ends_with_the_reason_why_it_was_in_vain(tmp_path: Path) -> None:
    project = bake(tmp_path)
    program = """
def fails():
    raise NotYet("orders-service says timeout")
for check in (fails, lambda: ""):
    try:
        wait_for(check, minutes=0)
    except Failure as error:
        print(error)
"""
    start = "import sys; sys.path.append('scripts'); from atlas import Failure, NotYet, wait_for"
    done = project.run(sys.executable, "-c", start + program)
    assert done.stdout.splitlines() == [
        "It isn't ready after 0 minutes: orders-service says timeout",
        "It isn't ready after 0 minutes: run it again later.",
    ]
