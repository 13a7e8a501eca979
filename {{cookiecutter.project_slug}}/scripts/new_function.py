{%- from 'service.j2' import connection_limit, framework with context -%}
{%- import 'budget.j2' as budget -%}
{%- set layout = {"single": "multi", "multi": "multi", "multi-lambda": "multi-lambda", "web": "web"}[cookiecutter.layout] -%}
"""Adds a function: its module, its test, its route, and its place in the infrastructure.

    make new-function name=archive_item
    make new-function name=archive_item route="POST /items/{id}/archive"
    make new-function name=archive_item route=none

It checks all of that before it writes any.
"""

import keyword
import re
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
SOURCE = "src/{{ cookiecutter.__package }}"
LONGEST = {{ {"multi": 40, "web": 40, "multi-lambda": 64 - (cookiecutter.project_slug ~ "-staging-") | length}[layout] }}
NAME = re.compile("[a-z][a-z0-9]*(_[a-z0-9]+)*")
ROUTE = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (/|(/([A-Za-z0-9._~-]+|\{[a-z][a-z0-9_]*\}))+)")

# All of it as it is for new_function. Of ADDITIONS and ROUTED: a file, what it has, what it gets.
MODULE = '''\
"""new_function says which database the service is connected to."""

{% if framework == "fastapi" -%}
from fastapi import APIRouter

from ..api import Context, JsonRoute, may_return
from ..client import mongodb

router = APIRouter(route_class=JsonRoute)


@router.get("/new-function", responses=may_return())
def new_function(context: Context) -> dict[str, str | float]:
    """Return 200 with the database's name and its response to a ping."""
    with mongodb.database(context) as db:
{%- elif framework == "powertools" -%}
from aws_lambda_powertools.event_handler.api_gateway import Router

from ..api import {% if layout == "multi-lambda" %}make_handler, {% endif %}may_return
from ..client import mongodb

router = Router()


@router.get("/new-function", responses=may_return(200))
def new_function() -> dict[str, str | float]:
    """Return 200 with the database's name and its response to a ping."""
    with mongodb.database(router.lambda_context) as db:
{%- endif %}
        ping = db.command("ping")
        return {"database": db.name, "ping": ping["ok"]}
{%- if layout == "multi-lambda" %}


handler = make_handler(router)
{%- endif %}
'''
TEST = '''\
"""The function new_function."""

import json
from collections.abc import Callable
from typing import Any


def test_answers_with_the_connected_database(invoke: Callable[..., Any], database: str) -> None:
    response = invoke("GET /new-function")

    assert response["statusCode"] == 200
    assert json.loads(response["body"]) == {"database": database, "ping": 1.0}
'''
# The same for a function without a route.
DIRECT_MODULE = '''\
"""new_function says which database the service is connected to. It is invoked directly."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from ..api import logger
from ..client import mongodb


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Return the database's name and its response to a ping."""
    with mongodb.database(context) as db:
        ping = db.command("ping")
        return {"database": db.name, "ping": ping["ok"]}
'''
DIRECT_TEST = '''\
"""The function new_function."""

from collections.abc import Callable
from typing import Any


def test_returns_the_connected_database(invoke: Callable[..., Any], database: str) -> None:
    assert invoke("new-function") == {"database": database, "ping": 1.0}
'''
{% include 'scripts/new_function.py/' ~ layout ~ '-' ~ cookiecutter.iac ~ '.py' %}

def main(name: str = "", route: str = "") -> None:
    """Add a function, or end the program with a sentence before anything is written."""
    dashed = name.replace("_", "-")
    route = route or f"GET /{dashed}"
    if not NAME.fullmatch(name) or keyword.iskeyword(name) or len(name) > LONGEST:
        limit = f"in lower case, of up to {LONGEST} characters"
        sys.exit(f"name must be an identifier {limit}, such as archive_item, not {name!r}.")
    if route != "none" and not ROUTE.fullmatch(route):
        example = "POST /items/{id}/archive"
        sys.exit(f"route must be none, or a method and a path such as {example}, not {route!r}.")
    method, _, path = route.partition(" ")
    key = dashed if route == "none" else route  # by which tests invoke it
{%- if framework == "fastapi" %}
    decorator = f'{method.lower()}("{path}"'
{%- elif framework == "powertools" %}
    decorator = f'{method.lower()}("{path.translate(str.maketrans("{}", "<>"))}"'
{%- endif %}
    spellings = {
        'get("/new-function"': decorator,
        "GET /new-function": key,
        "Method: GET": f"Method: {method}",
        "Path: /new-function": f"Path: {path}",
        "NewFunction": dashed.title().replace("-", ""),
        "new-function": dashed,
        "new_function": name,
    }

    def named(text: str) -> str:
        return re.sub("|".join(map(re.escape, spellings)), lambda found: spellings[found[0]], text)

    module, test = f"{SOURCE}/functions/{name}.py", f"tests/test_{name}.py"
    for file in (module, test):
        if (PROJECT / file).exists():
            sys.exit(f"{file} exists already: try another name, such as {name}_2.")
{%- if framework == "fastapi" %}
    for other in sorted((PROJECT / SOURCE / "functions").glob("*.py")):
        if f"@router.{decorator}" in other.read_text("utf-8"):
            file = other.relative_to(PROJECT).as_posix()
            sys.exit(f"{file} has {key} already: try another route, such as 'GET /{name}_2'.")
{%- endif %}
    new, new_test, places = (MODULE, TEST, ROUTED) if path else (DIRECT_MODULE, DIRECT_TEST, DIRECT)
    files = {module: named(new), test: named(new_test)}
    for file, place, addition in [*ADDITIONS, *places]:
        if file not in files:
            files[file] = (PROJECT / file).read_text("utf-8")
            if f'"{key}"' in files[file]:
                sys.exit(f"{file} has {key} already: try another route, such as 'GET /{name}_2'.")
        if files[file].count(named(place)) != 1:
            sys.exit(f"{file} must have {named(place)!r} once: add the function by hand.")
        files[file] = files[file].replace(named(place), named(addition))
    for file, text in files.items():
        (PROJECT / file).write_text(text, "utf-8", newline="\n")
    code = [file for file in files if file.endswith(".py")]
    for command in (["check", "--select=I", "--fix"], ["format"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--quiet", *code]
        subprocess.run(ruff, cwd=PROJECT, check=True)  # noqa: S603
    subprocess.run([sys.executable, "scripts/openapi.py"], cwd=PROJECT, check=True)
    print("\n  ".join(["Added:", *files]))
{%- if layout == "multi-lambda" %}
    functions = len(list((PROJECT / module).parent.glob("[!_]*.py")))
    share = {{ budget.reserved_concurrency(connection_limit, 1) }} // functions
    print(f"Deploy with ReservedConcurrency={share}: {functions} functions share the connections.")
{%- endif %}


if __name__ == "__main__":
    main(*sys.argv[1:])
