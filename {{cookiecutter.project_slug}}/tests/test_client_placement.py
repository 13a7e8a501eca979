"""Guards the rule that this service stands on: one MongoClient per execution environment.

A client that is built by a handler opens new connections with every invocation. So it is built at
module scope, and only by `connection.py`:
https://www.mongodb.com/docs/atlas/manage-connections-aws-lambda/
"""

import ast
{%- if cookiecutter.layout != "single" %}
import json
{%- endif %}
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
{% if cookiecutter.layout != "single" -%}
from bson import ObjectId
{% endif -%}
from pymongo import MongoClient

SOURCE = Path(__file__).parent.parent / "src"
CLIENTS = {"MongoClient", "AsyncMongoClient"}
OWNER = "connection.py"
Invoke = Callable[..., dict[str, Any]]
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def test_the_source_builds_the_connection_once_at_module_scope() -> None:
    faults: list[str] = []
    built: list[str] = []
    for path in sorted(SOURCE.rglob("*.py")):
        if path.name == OWNER:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        per_invocation = {node for function in functions(tree) for node in inside(function)}
        for node, name in builders(tree):
            where = f"{path.relative_to(SOURCE)}:{node.lineno}"
            if node in per_invocation:
                faults.append(
                    f"{where}: uses {name} inside a function, which may build a client for each "
                    "invocation; build it once, at module scope, outside the handler"
                )
            elif name in CLIENTS:
                faults.append(f"{where}: uses {name}; only {OWNER} builds clients")
            else:
                built.append(where)
    assert not faults, "\n".join(faults)
    assert len(built) == 1, f"one module builds the Connection and the others import it: {built}"


def test_invocations_build_no_client(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    invoke_all(invoke)  # imports the modules, as Lambda does before the first invocation
    built: list[object] = []
    build = MongoClient.__init__

    def counting(client: MongoClient[Any], *args: Any, **kwargs: Any) -> None:
        built.append(client)
        build(client, *args, **kwargs)

    monkeypatch.setattr(MongoClient, "__init__", counting)
    invoke_all(invoke)

    assert not built, (
        f"a handler built {len(built)} MongoClient during its invocation; "
        "build it once, at module scope, outside the handler"
    )


def invoke_all(invoke: Invoke) -> None:
    """Invoke every handler once."""
{%- if cookiecutter.layout == "single" %}
    invoke("GET /")
{%- else %}
    invoke("create-indexes")
    invoke("POST /items", body=json.dumps({"sku": f"GUARD-{ObjectId()}".upper(), "name": "Guard"}))
    invoke("GET /items")
    invoke("GET /items/{id}", id=str(ObjectId()))
    invoke("DELETE /items/{id}", id=str(ObjectId()))
{%- endif %}


def builders(tree: ast.Module) -> Iterator[tuple[ast.expr, str]]:
    """Yield each expression that names a client class or Connection, by whatever alias."""
    names = {name: name for name in CLIENTS | {"Connection"}}
    for _ in range(2):  # an alias of an alias
        for node in ast.walk(tree):
            match node:
                case ast.alias(name=name, asname=str(alias)) if name in names:
                    names[alias] = names[name]
                case ast.Assign([ast.Name(alias)], ast.Name(name)) if name in names:
                    names[alias] = names[name]
    annotations = {inner for outer in ast.walk(tree) for inner in annotation(outer)}
    for node in ast.walk(tree):
        match node:
            case _ if node in annotations:
                continue
            case ast.Name(id=name, ctx=ast.Load()) | ast.Attribute(attr=name) if name in names:
                yield node, names[name]
            # getattr(pymongo, "MongoClient")
            case ast.Constant(value=str(name)) if name in CLIENTS:
                yield node, name


def annotation(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a type annotation, which builds nothing."""
    for field in ("annotation", "returns"):
        if isinstance(found := getattr(node, field, None), ast.AST):
            yield from ast.walk(found)


def functions(tree: ast.Module) -> Iterator[Function]:
    """Yield every function, lambdas and nested ones too."""
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield node


def inside(function: Function) -> Iterator[ast.AST]:
    """Yield the nodes that run when the function is called, not when it is defined."""
    body = [function.body] if isinstance(function, ast.Lambda) else function.body
    for statement in body:
        yield from ast.walk(statement)
