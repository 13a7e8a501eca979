"""SAM and the CDK make the same infrastructure, whatever the other answers.

What the comparison leaves out or spells alike is listed in `normalise`: the code's place, metadata,
SAM's tags, the CDK's check of its bootstrap, and routes as an OpenAPI document or as resources.
Everything else is compared to the letter, logical IDs and descriptions too.
"""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Expand
from tests.support.baking import CORE, combinations
from tests.support.cloudformation import Template
from tests.support.templates import normalise

pytestmark = pytest.mark.slow

SAME = combinations(*(name for name in CORE if name != "iac"))


@pytest.mark.parametrize("answers", SAME)
def test_sam_and_cdk_make_the_same(answers: dict[str, str], expanded: Expand) -> None:
    sam = normalise(expanded(**answers, iac="sam"))
    cdk = normalise(expanded(**answers, iac="cdk"))
    assert cdk.keys() == sam.keys()
    for section in sam:
        assert cdk[section] == sam[section], section


def function(template: Template) -> Any:
    return template["Resources"]["Function"]["Properties"]


def statements(template: Template) -> Any:
    [policy] = template["Resources"]["ExecutionRole"]["Properties"]["Policies"]
    return policy["PolicyDocument"]["Statement"]


def egress(template: Template) -> Any:
    group = template["Resources"]["FunctionSecurityGroup"]["Properties"]
    return group["SecurityGroupEgress"][0]


def stack_route(template: Template) -> Any:
    routes = (it for it in template["Resources"].values() if it["Type"].endswith("V2::Route"))
    return next(routes)["Properties"]


# What would be a difference that matters, made in the CDK's template.
MUTATIONS: dict[str, Callable[[Template], object]] = {
    "statement": lambda it: statements(it).pop(),
    "action": lambda it: statements(it)[0].update(Action="logs:*"),
    "resource": lambda it: statements(it)[0].update(Resource="*"),
    "port": lambda it: egress(it).update(ToPort=65535),
    "peer": lambda it: egress(it).update(CidrIp="10.0.0.0/8"),
    "route": lambda it: it["Resources"].pop("PrivateRoute"),
    "runtime": lambda it: function(it).update(Runtime="python3.12"),
    "memory": lambda it: function(it).update(MemorySize=1024),
    "environment": lambda it: function(it)["Environment"]["Variables"].update(DEBUG="1"),
    "concurrency": lambda it: function(it).pop("ReservedConcurrentExecutions"),
    "retention": lambda it: it["Resources"]["LogGroup"]["Properties"].update(RetentionInDays=7),
    "alarm": lambda it: it["Resources"].pop("ErrorsAlarm"),
    "threshold": lambda it: it["Resources"]["ErrorsAlarm"]["Properties"].update(Threshold=2),
    "authorizer": lambda it: stack_route(it).update(AuthorizationType="NONE"),
    "secret": lambda it: it["Resources"]["DatabaseSecret"]["Properties"].pop(
        "GenerateSecretString"
    ),
    "Atlas": lambda it: it["Resources"]["DatabaseUser"]["Properties"].update(Roles=[]),
    "default": lambda it: it["Parameters"]["ReservedConcurrency"].update(Default=1),
    "pattern": lambda it: it["Parameters"]["ClusterHost"].pop("AllowedPattern"),
    "rule": lambda it: it["Rules"]["ExistingVpc"]["Assertions"].pop(),
    "output": lambda it: it["Outputs"].pop("ApiUrl"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_comparison_sees(name: str, expanded: Expand) -> None:
    answers = {"auth": "password", "network": "nat", "atlas_setup": "stack"}
    template = copy.deepcopy(expanded(**answers, iac="cdk"))
    before = json.dumps(template)
    MUTATIONS[name](template)
    assert json.dumps(template) != before
    assert normalise(template) != normalise(expanded(**answers, iac="sam"))
