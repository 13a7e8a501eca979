"""SAM and the CDK bring about the same, whatever the other answers and the parameters.

The templates differ: the CDK's L2 constructs cut resources otherwise and name them by themselves.
So what counts is compared: tests/support/effects.py, whose ADDED is all that the CDK makes beyond.
"""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import DeployOf
from tests.support.baking import CORE, PAIRED, stacks
from tests.support.cloudformation import Plan
from tests.support.effects import ADDED, UNSEEN, added, effects
from tests.support.parameters import scenarios

pytestmark = pytest.mark.slow

SAME = [
    *stacks(*(name for name in CORE if name != "iac")),
    *(it for it in PAIRED if it.values[0]["iac"] == "sam"),
]
DEPLOYS: dict[str, tuple[dict[str, str], str]] = {
    f"{it.id}/{scenario}": (it.values[0], scenario)
    for it in SAME
    for scenario in scenarios(it.values[0])
}


@pytest.mark.parametrize(("answers", "scenario"), DEPLOYS.values(), ids=DEPLOYS)
def test_sam_and_cdk_do_the_same(
    answers: dict[str, str], scenario: str, deploy_of: DeployOf
) -> None:
    sam = effects(deploy_of(scenario, answers))
    cdk = effects(deploy_of(scenario, answers | {"iac": "cdk"}))

    found = added(cdk)

    subnet, describe, method = ADDED
    new_nat = answers["network"] == "nat" and scenario.startswith("new")
    assert (subnet in found) == new_nat
    assert (describe in found) == (answers.get("auth") == "password")
    assert method in found
    assert cdk.keys() == sam.keys()
    for section in sam:
        assert cdk[section] == sam[section], section


# All but UNSEEN is seen, in the template of either, whatever the answers.


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


def changed(node: Any, path: tuple[Any, ...]) -> Any:
    """Return a copy with another value there, or without what is there if that has parts."""
    node, (step, *rest) = copy.copy(node), path
    if rest:
        node[step] = changed(node[step], tuple(rest))
        return node
    match node[step]:
        case bool(value):
            node[step] = not value
        case int(value) | float(value):
            node[step] = value + 1
        case str(value):
            node[step] = f"{value}x"
        case _:
            del node[step]
    return node


@pytest.mark.parametrize("iac", ["sam", "cdk"])
def test_every_change_of_either_is_seen(
    iac: str, deploy_of: DeployOf, figure: Callable[[str], None]
) -> None:
    """Each resource and output that a deploy can have is changed once, in each of its parts.

    What makes no difference in one deploy of a project does in another: a separator where there is
    but one part, say.
    """
    swept: set[str] = set()
    seen: dict[str, bool] = {}
    tried = 0
    for answers, scenario in DEPLOYS.values():
        planned = deploy_of(scenario, answers | {"iac": iac})
        values = {name: {"Value": it["Value"]} for name, it in planned.outputs.items()}
        parts = {"resources": planned.resources, "outputs": values}
        before = json.dumps(effects(Plan(**copy.deepcopy(parts))))
        for kind, part in parts.items():
            for name, described in part.items():
                if (text := json.dumps([kind, name, described])) in swept:
                    continue
                swept.add(text)
                for path in leaves(described, (kind, name)):
                    tried += 1
                    change = "/".join(map(str, (*answers.values(), *path)))
                    differ = seen.get(change) or differs(changed(parts, path), before)
                    seen[change] = differ
    unseen = [change for change, differ in seen.items() if not differ]
    assert not unseen, "\n".join(unseen)
    figure(f"{tried} changes of {iac}'s templates, each seen")


def differs(parts: dict[str, Any], before: str) -> bool:
    """Whether a changed template brings about something else, or can't be read any more."""
    try:
        return json.dumps(effects(Plan(**parts))) != before
    except (AssertionError, AttributeError, KeyError, IndexError, TypeError, ValueError):
        return True
