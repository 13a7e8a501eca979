{%- set each = cookiecutter.layout == "multi-lambda" -%}
{%- set layout = "multi-lambda" if each else "multi" -%}
{%- set cdk = cookiecutter.iac == "cdk" -%}
{%- set staging = "-staging" if each and cookiecutter.ci == "github" else "" -%}
"""Adds a function: its module, its test and its place in the infrastructure.

    make new-function name=archive_item
    make new-function name=archive_item route="POST /items/{id}/archive"
    make new-function name=archive_item route=none

It adds all of that, or nothing.
"""

import ast
import keyword
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from string import Template

PROJECT = Path(__file__).resolve().parent.parent
SOURCE = PROJECT / "src/{{ cookiecutter.__package }}"
{%- if cdk %}
SERVICE = PROJECT / "infra/service.py"
INFRASTRUCTURE = sorted((PROJECT / "infra").glob("*.py"))
{%- else %}
TEMPLATE = PROJECT / "template.yaml"
INFRASTRUCTURE = [TEMPLATE]
{%- endif %}
{%- if each %}
# Lambda's limit is 64, and the name of the stack comes first.
LONGEST = 64 - len("{{ cookiecutter.project_slug }}{{ staging }}-")
{%- else %}
LONGEST = 40
{%- endif %}
# What logical ids end with that begin with the function's name.
ENDS = ["", "Function", "ExecutionRole", "LogGroup", "Integration", "Route", "Permission"]
ROUTE = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/|(/([A-Za-z0-9._~-]+|\{[a-z][a-z0-9_]*\}))+)")
BY_HAND = "add the function by hand, see docs/recipes.md."

MODULE = Template('''\
"""$subject says which database the service is connected to."""

from aws_lambda_powertools.utilities.typing import LambdaContext

from ..api import Event, Response, endpoint, response
from ..client import mongodb


@endpoint
def handler(event: Event, context: LambdaContext) -> Response:
    """Return 200 with the database's name and its response to a ping."""
    with mongodb.database(context) as db:
        ping = db.command("ping")
        return response(200, {"database": db.name, "ping": ping["ok"]})
''')

TEST = Template('''\
"""The function $name."""

import json
from collections.abc import Callable
from typing import Any


def test_answers_with_the_connected_database(invoke: Callable[..., Any], database: str) -> None:
    response = invoke("$key")

    assert response["statusCode"] == 200
    assert json.loads(response["body"]) == {"database": database, "ping": 1.0}
''')


class Function:
    """A function to add, by its name and its route."""

    def __init__(self, name: str, route: str) -> None:
        self.name = name
        self.dashed = name.replace("_", "-")
        self.prefix = "".join(word.capitalize() for word in name.split("_"))
        self.route = "" if route == "none" else route or f"GET /{self.dashed}"
        self.key = self.route or self.dashed  # by which tests invoke it
        self.module = SOURCE / f"functions/{name}.py"
        self.test = PROJECT / f"tests/test_{name}.py"


def fault(function: Function) -> str | None:
    """Return why the function can't be added, or None."""
    name, route = function.name, function.route
    if not re.fullmatch("[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or keyword.iskeyword(name):
        return f"name must be an identifier in lower case, such as archive_item, not {name!r}."
    if len(name) > LONGEST or re.fullmatch("con|prn|aux|nul|(com|lpt)[0-9]", name):
        return f"name must be up to {LONGEST} characters, and not a Windows device, not {name!r}."
    if route and not ROUTE.fullmatch(route):
        example = '"POST /items/{id}/archive"'
        return f"route must be a method and a path, such as {example}, or none, not {route!r}."
    other = f"try another name, such as {name}_2."
    for path in (function.module, function.test):
        if path.exists():
            return f"{shown(path)} exists already: {other}"
    ids = "|".join(function.prefix + end for end in ENDS)
    for path in INFRASTRUCTURE:
        if found := re.search(rf'^ *({ids}):|"({ids})"', path.read_text("utf-8"), re.MULTILINE):
            return f"{shown(path)} has {found[1] or found[2]} already: {other}"
{%- if not each %}
    if re.search(rf"\b{name}\b", APP.read_text("utf-8")):
        return f"{shown(APP)} uses {name} already: {other}"
{%- endif %}
    for one in taken_routes():
        if re.sub("{.*?}", "{}", route) == re.sub("{.*?}", "{}", one):
            return f'{one} has a function already: try another route, such as "GET /{name}".'
    return None


{% include 'scripts/new_function/' ~ layout ~ '.py' %}

{% include 'scripts/new_function/' ~ layout ~ '-' ~ cookiecutter.iac ~ '.py' -%}
{% if not cdk %}{% include 'scripts/new_function/after_last.py' %}{% endif -%}
{% if each %}{% include 'scripts/new_function/share.py' %}{% endif %}

def assigned(path: Path, name: str) -> ast.expr:
    """Return what a module assigns to a name."""
    for node in ast.parse(path.read_text("utf-8")).body:
        match node:
            case ast.Assign([ast.Name(found)], value) if found == name:
                return value
            case ast.AnnAssign(ast.Name(found), value=ast.expr() as value) if found == name:
                return value
    sys.exit(f"{shown(path)} has no {name} to add to: {BY_HAND}")


def keys(node: ast.expr) -> list[str]:
    """Return the keys of a dict."""
    found = node.keys if isinstance(node, ast.Dict) else []
    return [str(key.value) for key in found if isinstance(key, ast.Constant)]


def with_last(path: Path, node: ast.expr, item: str) -> str:
    """Return the module with one more item in a list or dict."""
    source = path.read_bytes()
    lines = source.splitlines(keepends=True)
    end = sum(map(len, lines[: (node.end_lineno or 1) - 1])) + (node.end_col_offset or 1) - 1
    before = source[:end].decode().rstrip()
    comma = "" if before.endswith((",", "[", "{")) else ","
    return f"{before}{comma}\n{item},\n{source[end:].decode()}"


def tidy(source: str) -> str:
    """Sort the imports and format, as `make lint` wants it."""
    for command in (["check", "--quiet", "--select=I", "--fix-only"], ["format", "--quiet"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--stdin-filename=src/new.py", "-"]
        done = subprocess.run(  # noqa: S603
            ruff, cwd=PROJECT, input=source, stdout=subprocess.PIPE, encoding="utf-8", check=True
        )
        source = done.stdout
    return source


def write(files: dict[Path, str]) -> None:
    """Write all files, or none."""
    before = {path: path.read_bytes() if path.exists() else None for path in files}
    try:
        for path, text in files.items():
            path.write_bytes(text.encode())
    except OSError as error:
        for path, content in before.items():
            with suppress(OSError):
                path.unlink() if content is None else path.write_bytes(content)
        sys.exit(f"{error.filename} can't be written, so nothing has changed: {error.strerror}.")


def shown(path: Path) -> str:
    """Return a path as people write it."""
    return path.relative_to(PROJECT).as_posix()


def main(name: str = "", route: str = "") -> None:
    """Add a function, or end the program with a sentence."""
    function = Function(name, route)
    if sentence := fault(function):
        sys.exit(sentence)
    subject = function.route or f"{name}, which is invoked directly,"
    files = {
        function.module: MODULE.substitute(subject=subject),
        function.test: TEST.substitute(name=name, key=function.key),
        **code(function),
        **infrastructure(function),
    }
    write(files)
    print(f"Added {name}, {function.route or 'without a route'}:")
    print("\n".join(f"  {shown(path)}" for path in files))
{%- if each %}
    for _, share in SHARE.findall("\n".join(files.values())):
        print(f"Deploy with ReservedConcurrency={share}: one more function shares the connections.")
{%- if cookiecutter.auth == "iam" and cookiecutter.atlas_setup == "cli" %}
    print("Then set Atlas up for the new role: uv run scripts/setup_atlas.py Cluster0")
{%- endif %}
{%- endif %}


if __name__ == "__main__":
    main(*sys.argv[1:])
