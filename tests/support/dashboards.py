"""CloudWatch dashboards: whether a body is one, and what it shows.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
"""

import json
import re
from typing import Any

import jsonschema  # type: ignore[import-untyped]

_TEXT = {"type": "string", "minLength": 1}
_ID = {"type": "string", "pattern": "^[a-z][A-Za-z0-9_]*$"}
_COLOR = {"type": "string", "pattern": "^#[0-9A-Fa-f]{6}$"}
_SIDE = {"enum": ["left", "right"]}
_PERIOD = {"type": "integer", "anyOf": [{"enum": [1, 5, 10, 20, 30]}, {"multipleOf": 60}]}
_RENDERED: dict[str, Any] = {
    "color": _COLOR,
    "label": _TEXT,
    "period": _PERIOD,
    "region": _TEXT,
    "stat": _TEXT,
    "visible": {"type": "boolean"},
    "yAxis": _SIDE,
}


def _fields(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    """An object that has these fields and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


# The parts of the published structure that dashboards of graphs consist of. Other kinds of widgets
# are refused here.
STRUCTURE = _fields(
    ("widgets",),
    start=_TEXT,
    end=_TEXT,
    periodOverride={"enum": ["auto", "inherit"]},
    widgets={
        "type": "array",
        "maxItems": 500,
        "items": _fields(
            ("type", "properties"),
            type={"const": "metric"},
            x={"type": "integer", "minimum": 0, "maximum": 23},
            y={"type": "integer", "minimum": 0},
            width={"type": "integer", "minimum": 1, "maximum": 24},
            height={"type": "integer", "minimum": 1, "maximum": 1000},
            properties=_fields(
                ("region", "metrics"),
                title=_TEXT,
                region=_TEXT,
                view={"enum": ["timeSeries", "singleValue", "gauge", "bar", "pie", "table"]},
                stacked={"type": "boolean"},
                stat=_TEXT,
                period=_PERIOD,
                metrics={"type": "array", "minItems": 1, "items": {"type": "array"}},
                yAxis={"type": "object"},
                annotations=_fields(
                    horizontal={
                        "type": "array",
                        "items": _fields(
                            ("value",),
                            value={"type": "number"},
                            label=_TEXT,
                            color=_COLOR,
                            fill={"enum": ["above", "below", "none"]},
                            visible={"type": "boolean"},
                            yAxis=_SIDE,
                        ),
                    },
                ),
            ),
        ),
    },
)
_BODY = jsonschema.Draft202012Validator(STRUCTURE)
_METRIC = jsonschema.Draft202012Validator(_fields(id=_ID, **_RENDERED))
_EXPRESSION = jsonschema.Draft202012Validator(
    _fields(("expression",), expression=_TEXT, id=_ID, **_RENDERED)
)
_WIDE, _SIZE = 24, 6  # of the grid, and of a widget that doesn't say


def shown(body: str) -> list[dict[str, Any]]:
    """Return the widgets of a body with what each shows and where, however that is written.

    ValueError if it isn't a body of the published structure, or refers to what it doesn't have.
    """
    try:
        parsed = json.loads(body)
        _BODY.validate(parsed)
        widgets = parsed.pop("widgets")
        x, y, height = 0, 0, 0
        for widget in widgets:
            width = widget.setdefault("width", _SIZE)
            if x + width > _WIDE:  # the next available position
                x, y, height = 0, y + height, 0
            widget.setdefault("x", x)
            widget.setdefault("y", y)
            height = max(height, widget.setdefault("height", _SIZE))
            x += width
            widget["properties"] = _graph(widget["properties"])
    except jsonschema.ValidationError as error:
        raise ValueError(f"{error.json_path}: {error.message}") from error
    except LookupError as error:
        raise ValueError(f"there is no {error}") from error
    return [{**parsed, **widget} for widget in widgets]


def _graph(properties: dict[str, Any]) -> dict[str, Any]:
    """Spell out a graph: its lines in order, and what they are of."""
    common = {name: properties.pop(name, it) for name, it in (("stat", "Average"), ("period", 300))}
    lines: list[dict[str, Any]] = []
    named: dict[str, dict[str, Any]] = {}
    before: list[str] = []
    for number, entry in enumerate(properties.pop("metrics")):
        entry = list(entry)
        options = entry.pop() if isinstance(entry[-1], dict) else {}
        (_METRIC if entry else _EXPRESSION).validate(options)
        options = ({**common} if entry else {}) | options
        visible, name = options.pop("visible", True), options.pop("id", f"number{number}")
        if entry:
            before = entry = _written_out(entry, before)
            namespace, metric, *rest = entry
            pairs = sorted(zip(rest[::2], rest[1::2], strict=True))
            options |= {"metric": [namespace, metric, pairs]}
        if name in named:
            raise ValueError(f"two of {name}")
        named[name] = options
        if visible:
            lines.append(options)
    for line in lines:
        if "expression" in line:
            line["expression"] = re.sub(
                r"\b[a-z]\w*", lambda it: json.dumps(named[it[0]]), line["expression"]
            )
    horizontal = properties.pop("annotations", {}).get("horizontal", [])
    return {
        "view": "timeSeries",
        "stacked": False,
        **{name: it for name, it in properties.items() if it != {}},
        "lines": lines,
        "annotations": [{"yAxis": "left", **it} for it in horizontal],
    }


def _written_out(entry: list[str], before: list[str]) -> list[str]:
    """Return a metric without "." and "...", which repeat what the one before has there."""
    if entry[0] == "...":
        entry = [*before[: len(before) - len(entry) + 1], *entry[1:]]
    entry = [before[place] if it == "." else it for place, it in enumerate(entry)]
    if len(entry) < 2 or len(entry) % 2 or not all(isinstance(it, str) and it for it in entry):
        raise ValueError(f"no metric: {entry}")
    return entry
