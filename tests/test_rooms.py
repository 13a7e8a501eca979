"""Where things stand in the template, and how answers decide.

The rules are in docs/architecture.md.
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from jinja2 import Environment, nodes

from tests.support.baking import OPTIONS, TEMPLATE

PROJECT = TEMPLATE / "{{cookiecutter.project_slug}}"
PARTS = TEMPLATE / "templates"
JINJA = Environment()  # noqa: S701 (it renders nothing)


def parse(root: Path) -> dict[str, nodes.Template]:
    """Return the syntax tree of each file of the project's folder, or of its parts."""
    return {
        path.relative_to(root).as_posix().replace("{{cookiecutter.__package}}/", ""): JINJA.parse(
            path.read_text("utf-8")
        )
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def answers_in(node: nodes.Node) -> set[str]:
    """Return the answers with choices that an expression reads."""
    found = [node, *node.find_all(nodes.Getattr)]
    return {it.attr for it in found if isinstance(it, nodes.Getattr) and it.attr in OPTIONS}


def defaults(tree: nodes.Template) -> Iterator[tuple[int, str]]:
    """Yield line and answer wherever a value that nobody thought of would inherit an `else`."""
    for it in tree.find_all(nodes.Assign):
        for value in it.node.items if isinstance(it.node, nodes.Tuple) else [it.node]:
            if isinstance(value, nodes.Compare | nodes.And | nodes.Or | nodes.Not):
                yield from ((it.lineno, answer) for answer in answers_in(value))
    for block in tree.find_all(nodes.If):
        if block.else_:
            for test in (block.test, *(it.test for it in block.elif_)):
                yield from ((block.lineno, answer) for answer in answers_in(test))
    for expression in tree.find_all(nodes.CondExpr):
        if expression.expr2:
            yield from ((expression.lineno, answer) for answer in answers_in(expression.test))


def pattern(name: nodes.Node) -> str:
    """Return what names an include may have, such as `infra/network.py/*-*.py`."""
    if isinstance(name, nodes.Const):
        return str(name.value)
    return "".join(map(pattern, name.nodes)) if isinstance(name, nodes.Concat) else "*"


def included(tree: nodes.Template) -> list[str]:
    """Return the patterns of what a file includes and imports."""
    kinds: tuple[type[nodes.Node], ...] = (nodes.Include, nodes.Import, nodes.FromImport)
    return [pattern(getattr(it, "template")) for it in tree.find_all(kinds)]  # noqa: B009


def test_no_value_is_what_is_left_over() -> None:
    faults = [
        f"{root.name}/{name}:{line}: {answer}"
        for root in (PROJECT, PARTS)
        for name, tree in parse(root).items()
        for line, answer in defaults(tree)
    ]
    assert faults == []


def test_a_part_stands_in_the_folder_of_its_file() -> None:
    files, parts = parse(PROJECT), parse(PARTS)
    users = {name: included(tree) for name, tree in (files | parts).items()}
    for part in parts:
        if "/" not in part or part.startswith("cdk/"):  # for several files
            continue
        # What is beside the folders of files is for those files.
        rooms = [str(it) for it in Path(part).parents if str(it) in files]
        room = rooms[0] if rooms else Path(part).parents[-2].as_posix()
        own = [it for it in users if it == room or it.startswith(f"{room}/")]
        used = [name for name in own if any(fnmatchcase(part, it) for it in users[name])]
        assert used, f"{part} is no part of {room}"
