"""Where things stand in the template, and how answers decide: docs/architecture.md has the rules."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

from tests.support.baking import OPTIONS, TEMPLATE

PROJECT = TEMPLATE / "{{cookiecutter.project_slug}}"
PARTS = TEMPLATE / "templates"
JINJA = Environment(autoescape=False)  # noqa: S701 (parses only)
INCLUDE = re.compile(r"""\b(?:include|import|from)\s+(["'].+?)(?:\s+(?:ignore|as|import|with)\b|-?%})""")


def sources() -> Iterator[Path]:
    """Yield every file that Jinja renders into a project, or a part of one."""
    for root in (PROJECT, PARTS):
        yield from (it for it in sorted(root.rglob("*")) if it.is_file() and it.suffix != ".lock")


def name_of(path: Path) -> str:
    return path.relative_to(TEMPLATE).as_posix()


def answers_in(node: nodes.Node) -> set[str]:
    """Return the answers with choices that an expression reads."""
    found = [node, *node.find_all(nodes.Getattr)]
    return {it.attr for it in found if isinstance(it, nodes.Getattr) and it.attr in OPTIONS}


def defaults(tree: nodes.Template) -> Iterator[tuple[int, str]]:
    """Yield line and answer wherever a choice that nobody thought of would inherit an `else`."""
    for it in tree.find_all(nodes.Assign):
        values = it.node.items if isinstance(it.node, nodes.Tuple) else [it.node]
        for value in values:
            if isinstance(value, nodes.Compare | nodes.And | nodes.Or | nodes.Not):
                yield from ((it.lineno, answer) for answer in answers_in(value))
    for it in tree.find_all((nodes.If, nodes.CondExpr)):
        otherwise = it.else_ if isinstance(it, nodes.If) else it.expr2
        if otherwise:
            tests = [it.test] + [other.test for other in getattr(it, "elif_", [])]
            yield from ((it.lineno, answer) for test in tests for answer in answers_in(test))


def test_no_choice_is_what_is_left_over() -> None:
    faults = [
        f"{name_of(path)}:{line}: {answer}"
        for path in sources()
        for line, answer in defaults(JINJA.parse(path.read_text("utf-8")))
    ]
    assert faults == []
