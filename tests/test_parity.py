"""SAM and the CDK bring about the same, whatever the other answers and the parameters.

The templates differ: the CDK's L2 constructs cut resources otherwise and name them by themselves.
So what counts is compared: tests/support/effects.py. ADDED is all that the CDK makes beyond that.
"""

import copy
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import DeployOf
from tests.support.baking import CORE, combinations
from tests.support.cloudformation import Plan
from tests.support.effects import UNSEEN, effects
from tests.support.parameters import scenarios

pytestmark = pytest.mark.slow

ADDED = {
    "AWS::EC2::Subnet": (
        "a public subnet in the second Availability Zone, by `ec2.Vpc`, which has one in each: it "
        "costs nothing, and is there for whoever wants a NAT gateway in each"
    ),
}
"""What the CDK makes and SAM doesn't, by type, and why that is well."""

SAME = combinations(*(name for name in CORE if name != "iac"))
DEPLOYS = [
    pytest.param(it.values[0], scenario, id=f"{it.id}/{scenario}")
    for it in SAME
    for scenario in scenarios(it.values[0])
]


def added(effect: dict[str, Any]) -> dict[str, Any]:
    """Take what ADDED names out of what the CDK's template brings about, and return it."""
    found = {}
    for name, subnet in list(effect.get("AWS::EC2::Subnet", {}).items()):
        second = re.fullmatch(r"\d+\.\d+\.3\.0/24", name)
        if second and subnet["routes"][0].get("GatewayId") == "<AWS::EC2::InternetGateway>":
            found["AWS::EC2::Subnet"] = effect["AWS::EC2::Subnet"].pop(name)
    return found


@pytest.mark.parametrize(("answers", "scenario"), DEPLOYS)
def test_sam_and_cdk_do_the_same(
    answers: dict[str, str], scenario: str, deploy_of: DeployOf
) -> None:
    sam = effects(deploy_of(scenario, answers))
    cdk = effects(deploy_of(scenario, answers | {"iac": "cdk"}))

    found = added(cdk)

    expected = ADDED if answers["network"] == "nat" and scenario.startswith("new") else {}
    assert found.keys() == expected.keys()
    assert cdk.keys() == sam.keys()
    for section in sam:
        assert cdk[section] == sam[section], section


# All but UNSEEN is seen, in the template of either.

SWEPT = [
    ("new", {"network": "private-endpoint", "auth": "password", "atlas_setup": "stack"}),
    ("new-chosen", {"network": "peering", "auth": "password", "atlas_setup": "cli"}),
    ("new", {"network": "nat", "auth": "iam", "atlas_setup": "stack"}),
    ("existing", {"network": "peering", "auth": "iam", "atlas_setup": "stack"}),
    ("new", {"network": "public", "auth": "iam", "atlas_setup": "stack", "layout": "multi-lambda"}),
]


def leaves(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every property and value, but for those of UNSEEN."""
    if path[-2:] == ("Fn::Cidr", 1):  # how many blocks there may be
        return
    if path and not (isinstance(node, dict) and node.keys() <= UNSEEN.keys()):
        yield path
    if isinstance(node, dict):
        for name, it in node.items():
            if name not in UNSEEN:
                yield from leaves(it, (*path, name))
    elif isinstance(node, list):
        for index, it in enumerate(node):
            yield from leaves(it, (*path, index))


def changed(resources: dict[str, Any], path: tuple[Any, ...]) -> dict[str, Any]:
    """Return a copy with another value there, or without what is there if that has parts."""
    resources = copy.deepcopy(resources)
    node: Any = resources
    for step in path[:-1]:
        node = node[step]
    match node[path[-1]]:
        case bool(value):
            node[path[-1]] = not value
        case int(value) | float(value):
            node[path[-1]] = value + 1
        case str(value):
            node[path[-1]] = f"{value}x"
        case _:
            del node[path[-1]]
    return resources


@pytest.mark.parametrize("iac", ["sam", "cdk"])
@pytest.mark.parametrize(("scenario", "answers"), SWEPT, ids=lambda it: str(it)[:40])
def test_every_change_of_either_is_seen(
    scenario: str,
    answers: dict[str, str],
    iac: str,
    deploy_of: DeployOf,
    figure: Callable[[str], None],
) -> None:
    planned = deploy_of(scenario, answers | {"iac": iac})
    before = json.dumps(effects(Plan(copy.deepcopy(planned.resources), planned.outputs)))
    unseen, tried = [], 0
    for path in leaves(planned.resources):
        tried += 1
        mutant = changed(planned.resources, path)
        try:
            seen = json.dumps(effects(Plan(mutant, copy.deepcopy(planned.outputs)))) != before
        except (AssertionError, AttributeError, KeyError, IndexError, TypeError, ValueError):
            seen = True  # it can't be read any more
        if not seen:
            unseen.append(path)
    assert not unseen, "\n".join("/".join(map(str, path)) for path in unseen)
    figure(f"{tried} changes of {iac}'s template, each seen")
