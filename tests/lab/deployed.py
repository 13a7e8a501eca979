"""A baked project as it is deployed: its artefact, its functions and their variables."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.support.baking import BakedProject
from tests.support.cloudformation import unroll
from tests.support.here import bake_here, build
from tests.support.recipes import follow, recipes

# What a catch-all such as GET /{proxy+} passes on to a project with layout=web.
APPLICATION = ("POST /items", "GET /items", "GET /items/{id}", "DELETE /items/{id}")

_EXTRA = Path(__file__).with_name("functions")


@dataclass(frozen=True)
class Function:
    """One Lambda function of a template, deployed by the name of the project."""

    prefix: str  # of its resources
    name: str
    handler: str
    routes: tuple[str, ...]


@dataclass(frozen=True)
class Deployed:
    """What the build script makes of a project; `code` is the functions' code root."""

    project: BakedProject
    code: Path

    @cached_property
    def template(self) -> dict[str, Any]:
        return unroll(self.project.parse("template.yaml"))

    @property
    def functions(self) -> list[Function]:
        """In the order of the template."""
        found = []
        for logical_id, resource in self.template["Resources"].items():
            if resource["Type"] != "AWS::Serverless::Function":
                continue
            properties = resource["Properties"]
            name = properties["FunctionName"]["Fn::Sub"].replace("${AWS::StackName}", self.name)
            events = properties.get("Events", {}).values()
            routes = [it["Properties"] for it in events if it["Type"] == "HttpApi"]
            found.append(
                Function(
                    prefix=logical_id.removesuffix("Function"),
                    name=name,
                    handler=properties["Handler"],
                    routes=served([f"{it['Method']} {it['Path']}" for it in routes]),
                )
            )
        return found

    @property
    def name(self) -> str:
        """Of the project and its stack."""
        return self.project.answers["project_slug"]

    def added(self, handler: str) -> str:
        """Name of a handler of `tests/lab/functions` as part of the project."""
        return f"{self.project.package}.functions.{handler}"

    @property
    def operations(self) -> str:
        """Name of the handler that carries out one of the lab's operations."""
        framework = {"multi": "powertools", "web": "fastapi"}[self.project.answers["layout"]]
        return self.added(f"through_{framework}.handler")

    def variables(self, host: str, **options: str) -> dict[str, str]:
        """The functions' environment variables, as the stack sets them, without a secret's ARN.

        `options` are added to the URI.
        """
        variables: dict[str, Any] = self.template["Globals"]["Function"]["Environment"]["Variables"]
        uri = variables["MONGODB_URI"]["Fn::Sub"].replace("${ClusterHost}", host)
        added = "&".join(f"{name}={value}" for name, value in options.items())
        if added:
            uri += ("&" if "?" in uri else "?") + added
        plain = {name: value for name, value in variables.items() if isinstance(value, str)}
        return plain | {"MONGODB_URI": uri}


def deploy(folder: Path, *followed: str, **answers: str) -> Deployed:
    """Bake a project, follow recipes, add the functions of `tests/lab/functions`, and build it."""
    project = bake_here(folder, **answers)
    for name in followed:
        follow(project, recipes(project)[name])
    functions = project.source / "functions"
    if functions.is_dir():
        shutil.copytree(_EXTRA, functions, dirs_exist_ok=True)
    code = folder / "code"
    build(project, code)
    return Deployed(project, code)


def served(routes: list[str]) -> tuple[str, ...]:
    """The routes, or those of the application that gets whatever is asked for."""
    return APPLICATION if any("{proxy+}" in it for it in routes) else tuple(routes)


def request(route: str, **event: Any) -> dict[str, Any]:
    """An event of API Gateway for a route; one that reaches the database if nothing is added."""
    method, _, path = route.partition(" ")
    parameters = event.get("pathParameters")
    key = parameters.get("id") if isinstance(parameters, dict) else None
    path = path.replace("{id}", key if isinstance(key, str) else "0" * 24)
    found: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json"},
        "requestContext": {
            "http": {"method": method, "path": path, "sourceIp": "192.0.2.1"},
            "stage": "$default",
        },
        "isBase64Encoded": False,
    }
    if "{id}" in route:
        found["pathParameters"] = {"id": "0" * 24}
    if method == "POST":
        found["body"] = json.dumps({"sku": "MUG", "name": "Mug"})
    return found | event
