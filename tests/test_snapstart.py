"""snapstart=yes: a deploy publishes a version if functions are configured otherwise, and only then.

An alias that went on naming the version before would serve the old configuration, such as a host
that isn't the cluster's any more. Nor may there be a version for nothing: Lambda has only one of a
configuration, so CloudFormation fails.
"""

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Baker, DeployOf, Expand
from tests.support.baking import SNAPSTART, judge
from tests.support.cloudformation import Plan, plan
from tests.support.parameters import scenarios
from tests.support.templates import cdk_template

Answers = dict[str, str]

HOST = {"ClusterHost": "cluster1-pl-0.ab1cd.mongodb.net"}
# What a version doesn't keep, and where the tests have no code to deploy.
UNVERSIONED = {"ReservedConcurrentExecutions", "Tags", "Code"}
# What is replaced when it changes, so that it has another ID then.
REPLACED = ("AWS::EC2::VPC", "AWS::EC2::Subnet", "AWS::EC2::SecurityGroup")


def test_python_3_11_is_refused(tmp_path: Path) -> None:
    said = judge(tmp_path, snapstart="yes", python_version="3.11")
    sentence = (
        "python_version must be 3.12 or newer for SnapStart (snapstart='yes'), such as '3.13'"
    )
    assert f"{sentence}, not '3.11'.\n" in said
    assert said.rstrip().endswith("python_version=3.13")


def identified(planned: Plan, node: Any) -> Any:
    """Return a value with what it refers to as that is made."""
    match node:
        case list():
            return [identified(planned, it) for it in node]
        case {"Ref": name} | {"Fn::GetAtt": [name, *_]} if name in planned.resources:
            resource = planned.resources[name]
            if resource["Type"] in REPLACED:
                return identified(planned, resource["Properties"])
            return name
        case dict():
            return {name: identified(planned, it) for name, it in node.items()}
    return node


def configurations(planned: Plan) -> set[str]:
    """Return what is kept of each function in a version."""
    return {
        json.dumps(identified(planned, {k: v for k, v in it.items() if k not in UNVERSIONED}))
        for it in planned.of("AWS::Lambda::Function").values()
    }


def versions(planned: Plan) -> set[str]:
    """Return what CloudFormation tells versions by: it makes another if that is another."""
    return {
        json.dumps([name, identified(planned, it)])
        for name, it in planned.of("AWS::Lambda::Version").items()
    }


def check(deploys: dict[str, Plan]) -> int:
    """Return how many pairs of deploys publish versions."""
    published = 0
    for (one, first), (other, second) in itertools.combinations(deploys.items(), 2):
        changed = configurations(first).isdisjoint(configurations(second))
        same = configurations(first) == configurations(second)
        assert changed != same, "all functions or none"
        assert versions(first).isdisjoint(versions(second)) == changed, (one, other)
        assert (versions(first) == versions(second)) == same, (one, other)
        published += changed
    return published


@pytest.mark.slow
@pytest.mark.parametrize("answers", [it for it in SNAPSTART if it.values[0]["iac"] == "sam"])
def test_sam_publishes_what_changes(
    answers: Answers, expanded: Expand, figure: Callable[[str], None]
) -> None:
    template, found = expanded(**answers), scenarios(answers)
    deploys = {name: plan(template, **values) for name, values in found.items()}
    deploys["another host"] = plan(template, **found["new"] | HOST)
    for scenario in ("new", "existing"):
        base, chosen = found.get(scenario, {}), found.get(f"{scenario}-chosen", {})
        for name, value in chosen.items():  # each alone
            if base.get(name) != value and name not in ("AvailabilityZoneA", "AvailabilityZoneB"):
                deploys[f"{scenario}, {name}"] = plan(template, **base | {name: value})
    published = check(deploys)
    assert published
    figure(f"{published} of {len(deploys) * (len(deploys) - 1) // 2} changes publish versions")


@pytest.mark.slow
@pytest.mark.parametrize("answers", [it for it in SNAPSTART if it.values[0]["iac"] == "cdk"])
def test_the_cdk_publishes_what_changes(
    answers: Answers,
    baked: Baker,
    deploy_of: DeployOf,
    tmp_path: Path,
    figure: Callable[[str], None],
) -> None:
    deploys = {name: deploy_of(name, answers) for name in scenarios(answers)}
    deploys["another host"] = plan(cdk_template(baked(**answers), tmp_path, **HOST))
    published = check(deploys)
    assert published
    figure(f"{published} of {len(deploys) * (len(deploys) - 1) // 2} changes publish versions")


@pytest.mark.slow
@pytest.mark.parametrize("answers", SNAPSTART)
def test_the_api_invokes_an_alias_of_a_version_that_has_a_snapshot(
    answers: Answers, deploy_of: DeployOf
) -> None:
    planned = deploy_of("new", answers)
    functions = planned.of("AWS::Lambda::Function")
    aliases = planned.of("AWS::Lambda::Alias")
    assert len(aliases) == len(functions)
    for it in functions.values():
        assert it["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    for it in aliases.values():
        assert it["Name"] == "live"
        version = planned.resources[it["FunctionVersion"]["Fn::GetAtt"][0]]
        assert version["DeletionPolicy"] == "Delete"
        assert version.get("UpdateReplacePolicy", "Delete") == "Delete"
        assert version["Properties"]["FunctionName"] == it["FunctionName"]
    text = json.dumps(planned.of("AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Integration"))
    permitted = planned.of("AWS::Lambda::Permission").values()
    assert permitted
    assert {it["FunctionName"]["Ref"] for it in permitted} <= aliases.keys()
    assert not [name for name in functions if f'"{name}"' in text or f"{{{name}}}" in text]
