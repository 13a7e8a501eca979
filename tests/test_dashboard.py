"""The dashboard is one that CloudWatch takes, and shows each function and the budget.

That SAM's and the CDK's show the same, tests/test_parity.py says.
"""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Baker
from tests.support.baking import OPTIONS
from tests.support.budget import TIERS, reserved_concurrency
from tests.support.cloudformation import Plan, plan
from tests.support.dashboards import shown
from tests.support.effects import effects
from tests.support.parameters import required
from tests.support.templates import cdk_template, first_deploy, sam_template

NAME = "orders-service-us-east-1"  # of the stack and its Region
LAMBDA, OWN = "AWS/Lambda", "orders-service"
GRAPHS = {
    "Invocations": [(LAMBDA, "Invocations", "Sum")],
    "Errors": [(LAMBDA, "Errors", "Sum")],
    "Throttles": [(LAMBDA, "Throttles", "Sum")],
    "Concurrency": [(LAMBDA, "ConcurrentExecutions", "Maximum")],
    "Connections opened": [(OWN, "ConnectionsOpened", "Sum")],
    "Connections opened per invocation": [
        (OWN, "ConnectionsOpened", "Sum"),
        (LAMBDA, "Invocations", "Sum"),
    ],
    "Failed logins": [(OWN, "FailedLogins", "Sum")],
    "Unavailable": [(OWN, "Unavailable", "Sum")],
}


def widgets(planned: Plan) -> list[dict[str, Any]]:
    """What the only dashboard of a deploy shows."""
    [(name, dashboard)] = effects(planned)["AWS::CloudWatch::Dashboard"].items()
    assert name == NAME
    body: list[dict[str, Any]] = dashboard["DashboardBody"]
    return body


@pytest.mark.parametrize("snapstart", OPTIONS["snapstart"])
@pytest.mark.parametrize("layout", OPTIONS["layout"])
def test_shows_each_function_and_the_budget(
    layout: str, snapstart: str, baked: Baker, tmp_path: Path
) -> None:
    """With SnapStart also under the function's name, which is that of all its versions."""
    planned = first_deploy(baked(layout=layout, snapstart=snapstart, network="public"), tmp_path)
    functions = sorted(
        it["FunctionName"]["Fn::Sub"].replace("${AWS::StackName}", "<orders-service") + ">"
        for it in planned.of("AWS::Lambda::Function").values()
    )
    budget = reserved_concurrency(TIERS["M0"], len(functions))

    found = widgets(planned)

    assert [it["properties"]["title"] for it in found] == list(GRAPHS)
    assert len({(it["x"], it["y"]) for it in found}) == len(found)
    assert {(it["width"], it["height"]) for it in found} == {(6, 6)}
    for graph in (it["properties"] for it in found):
        texts = sorted(json.dumps(it).replace("\\", "") for it in graph["lines"])
        for function, text in zip(functions, texts, strict=True):
            for namespace, name, statistic in GRAPHS[graph["title"]]:
                dimensions = [["FunctionName", function]]
                dimensions += [["service", OWN]] if namespace == OWN else []
                assert json.dumps([namespace, name, dimensions]) in text
                assert f'"stat": "{statistic}"' in text
            assert text.count('"metric"') == len(GRAPHS[graph["title"]])
            assert ("FILL" in text) == (len(GRAPHS[graph["title"]]) == 2)
    marked = {
        it["properties"]["title"]: {line["label"]: line["value"] for line in annotations}
        for it in found
        if (annotations := it["properties"]["annotations"])
    }
    assert marked == {
        "Concurrency": {"ReservedConcurrency": budget},
        "Connections opened per invocation": {"Alarm": 0.5},
    }


@pytest.mark.slow
@pytest.mark.parametrize("iac", OPTIONS["iac"])
def test_shows_no_budget_that_is_not_reserved(iac: str, baked: Baker, tmp_path: Path) -> None:
    project = baked(iac=iac, layout="multi-lambda", network="public")
    if iac == "cdk":
        planned = plan(cdk_template(project, tmp_path, ReservedConcurrency="0"))
    else:
        values = required("public", "cli") | {"ReservedConcurrency": "0"}
        planned = plan(sam_template(project), **values)

    graphs = [it["properties"] for it in widgets(planned)]

    assert [it["title"] for it in graphs if it["annotations"]] == [
        "Connections opened per invocation"
    ]


# What is and what isn't a body

GRAPH = {
    "title": "Connections",
    "region": "us-east-1",
    "metrics": [
        [OWN, "ConnectionsOpened", "FunctionName", "orders", {"id": "opened", "visible": False}],
        ["...", "other", {"id": "others", "label": "Of the other"}],
        [".", "Unavailable", ".", "."],
        [{"expression": "opened + others", "label": "All"}],
    ],
    "annotations": {"horizontal": [{"label": "Alarm", "value": 0.5}]},
}
BODY: dict[str, Any] = {"widgets": [{"type": "metric", "properties": GRAPH}]}


def test_a_body_is_read_as_cloudwatch_does() -> None:
    widgets = shown(json.dumps({"widgets": BODY["widgets"] * 5}))

    assert [(it["x"], it["y"]) for it in widgets] == [(0, 0), (6, 0), (12, 0), (18, 0), (0, 6)]
    of_orders, of_other = [("FunctionName", "orders")], [("FunctionName", "other")]
    common = {"stat": "Average", "period": 300}
    opened = common | {"metric": [OWN, "ConnectionsOpened", of_orders]}
    others = common | {"label": "Of the other", "metric": [OWN, "ConnectionsOpened", of_other]}
    assert widgets[0]["properties"]["lines"] == [
        others,
        common | {"metric": [OWN, "Unavailable", of_other]},
        {"expression": f"{json.dumps(opened)} + {json.dumps(others)}", "label": "All"},
    ]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("widgets", 0, "type"), "graph"),
        (("widgets", 0, "x"), 24),
        (("widgets", 0, "properties", "region"), None),
        (("widgets", 0, "properties", "metrics"), []),
        (("widgets", 0, "properties", "colour"), "red"),
        (("widgets", 0, "properties", "period"), 90),
        (("widgets", 0, "properties", "metrics", 0, 3), ""),
        (("widgets", 0, "properties", "metrics", 0, 4), {"id": "Opened"}),
        (("widgets", 0, "properties", "metrics", 0, 4), {"id": "others"}),
        (("widgets", 0, "properties", "metrics", 2), [OWN, "Unavailable", "FunctionName"]),
        (("widgets", 0, "properties", "metrics", 3, 0, "expression"), "opened + nothing"),
        (("widgets", 0, "properties", "annotations", "horizontal", 0, "value"), "0.5"),
        (("start",), 0),
    ],
)
def test_what_is_no_body_is_found(path: tuple[Any, ...], value: Any) -> None:
    body = copy.deepcopy(BODY)
    put(body, path, value)
    with pytest.raises(ValueError, match=r"\w"):
        shown(json.dumps(body))


def test_every_change_of_a_body_is_seen() -> None:
    before = shown(json.dumps(BODY))
    for path, value in leaves(BODY):
        body = copy.deepcopy(BODY)
        put(body, path, {bool: True, str: f"{value}x", float: 0.6}[type(value)])
        try:
            assert shown(json.dumps(body)) != before, path
        except ValueError:
            continue


def leaves(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield path and value of whatever has no parts."""
    if isinstance(node, dict | list):
        for key, it in node.items() if isinstance(node, dict) else enumerate(node):
            yield from leaves(it, (*path, key))
    else:
        yield path, node


def put(node: Any, path: tuple[Any, ...], value: Any) -> None:
    """Put a value there, or take out what is there if it is None."""
    for step in path[:-1]:
        node = node[step]
    if value is None:
        del node[path[-1]]
    else:
        node[path[-1]] = value
