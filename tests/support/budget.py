"""The connection budget, as `templates/budget.j2` says it for the projects."""

from typing import Any

from jinja2 import Environment, FileSystemLoader

from tests.support.baking import TEMPLATE

_budget: Any = (
    Environment(loader=FileSystemLoader(TEMPLATE / "templates"), autoescape=True)
    .get_template("budget.j2")
    .module
)

TIERS: dict[str, int] = _budget.tiers
"""Connections that Atlas allows to each node of a cluster, by its tier."""


def connections(environments: int, *, primary: bool) -> int:
    """Connections on a node that so many execution environments hold."""
    each: int = _budget.on_primary if primary else _budget.on_secondary
    return environments * each


def reserved_concurrency(limit: int, functions: int) -> int:
    """Execution environments that each function may have."""
    return int(_budget.reserved_concurrency(limit, functions))
