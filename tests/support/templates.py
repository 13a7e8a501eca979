"""Templates of projects, whatever they are written in, and one spelling to compare them in."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.baking import BakedProject
from tests.support.cloudformation import Template, expand

# Loading the CDK takes seconds and a stack a tenth of one, so one process synthesises many.
_SYNTHESISE = """
import importlib, json, sys
from pathlib import Path

for folder, project in json.load(sys.stdin).items():
    for name in [name for name in sys.modules if name.partition(".")[0] == "infra"]:
        del sys.modules[name]
    sys.path.insert(0, project)
    importlib.invalidate_caches()
    context = json.loads(Path(project, "cdk.json").read_text("utf-8"))["context"]
    context["aws:cdk:bundling-stacks"] = []
    importlib.import_module("infra.app").make_app(context=context, outdir=folder).synth()
    sys.path.remove(project)
"""


def sam_template(project: BakedProject) -> Template:
    """Return the template of a project with iac=sam, after the SAM transform."""
    return expand(project.parse("template.yaml"))


def cdk_template(project: BakedProject, folder: Path) -> Template:
    """Return the template of a project with iac=cdk, synthesised into the folder before or now."""
    name = f"{project.answers['project_slug']}.template.json"
    if not (folder / name).exists():
        synthesise({folder: project})
    template: Template = json.loads((folder / name).read_text("utf-8"))
    return template


def synthesise(projects: Mapping[Path, BakedProject]) -> None:
    """Synthesise each CDK app into its folder, without building the code.

    There is no AWS account: no credentials, no configuration, no Region. AssertionError with what
    the CDK says if it fails, as it does when cdk-nag or its own validation finds fault.
    """
    environment = {name: it for name, it in os.environ.items() if not name.startswith("AWS_")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        [sys.executable, "-B", "-c", _SYNTHESISE],
        input=json.dumps({str(folder): str(it.path) for folder, it in projects.items()}),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def normalise(template: Template) -> Template:
    """Return what a template says, in one spelling; equal if CloudFormation would do the same.

    References are text, `${Logical.Attribute}`, within the text around them, and so are numbers
    and booleans. Routes of an HTTP API are in a section of their own, whether they come from an
    OpenAPI document or from resources. What only the tools need is left out: the code's place,
    metadata, SAM's tags.
    """
    plain = _spell(template)
    resources = plain["Resources"]
    return {
        "Description": plain["Description"],
        "Parameters": plain["Parameters"],
        "Rules": plain.get("Rules", {}),
        "Conditions": plain["Conditions"],
        "Routes": dict(_routes(resources)),
        "Resources": dict(
            _resource(name, resource)
            for name, resource in resources.items()
            if resource["Type"] not in _ROUTE_TYPES
        ),
        "Outputs": plain["Outputs"],
    }


_INTEGRATION, _ROUTE = "AWS::ApiGatewayV2::Integration", "AWS::ApiGatewayV2::Route"
_ROUTE_TYPES = {_INTEGRATION, _ROUTE}
_BY_SAM = ("lambda:createdBy", "httpapi:createdBy")


def _spell(node: Any) -> Any:
    """Spell values and CloudFormation's functions in one way."""
    if isinstance(node, bool):
        return str(node).lower()
    if isinstance(node, int | float):
        return str(node)
    if isinstance(node, list):
        return [_spell(it) for it in node]
    if not isinstance(node, dict):
        return node
    plain = {name: _spell(it) for name, it in node.items()}
    match plain:
        case {"Ref": name, **rest} if not rest:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [name, attribute], **rest} if not rest:
            return f"${{{name}.{attribute}}}"
        case {"Fn::Sub": str(text), **rest} if not rest:
            return text
        case {"Fn::Sub": [text, variables], **rest} if not rest:
            return re.sub(r"\$\{(\w+)\}", lambda it: variables.get(it[1], it[0]), text)
        case {"Fn::Join": ["", list(parts)], **rest} if not rest:
            assert all(isinstance(part, str) for part in parts), parts
            return "".join(parts)
    return plain


def _routes(resources: Template) -> Any:
    """Yield each route's key with its authorizer and integration."""
    for resource in resources.values():
        properties = resource.get("Properties", {})
        if resource["Type"] == _ROUTE:
            integration = properties["Target"].removeprefix("integrations/${").removesuffix("}")
            yield (
                properties["RouteKey"],
                {
                    "ApiId": properties["ApiId"],
                    "AuthorizationType": properties["AuthorizationType"],
                    **resources[integration]["Properties"],
                },
            )
        elif resource["Type"] == "AWS::ApiGatewayV2::Api" and "Body" in properties:
            yield from _routes_of(properties["Body"])


def _routes_of(openapi: Template) -> Any:
    """The same from SAM's OpenAPI document."""
    schemes = openapi["components"]["securitySchemes"]
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            [[scheme]] = operation["security"]
            assert schemes[scheme]["x-amazon-apigateway-authtype"] == "awsSigv4"
            integration = operation["x-amazon-apigateway-integration"]
            yield (
                f"{method.upper()} {path}",
                {
                    "ApiId": "${Api}",
                    "AuthorizationType": "AWS_IAM",
                    "IntegrationType": integration["type"].upper(),
                    "IntegrationUri": re.sub(
                        r".*/functions/|/invocations$", "", integration["uri"]
                    ),
                    "PayloadFormatVersion": integration["payloadFormatVersion"],
                },
            )


def _resource(name: str, resource: Template) -> tuple[str, Template]:
    """Return a resource with its name, both as far as they matter."""
    resource = _without(resource, "Metadata")
    properties = resource.get("Properties", {})
    if isinstance(resource.get("DependsOn"), str):
        resource["DependsOn"] = [resource["DependsOn"]]
    if tags := properties.get("Tags"):
        keys = list(tags) if isinstance(tags, dict) else [tag["Key"] for tag in tags]
        if set(keys) <= set(_BY_SAM):
            properties = _without(properties, "Tags")
    match resource["Type"]:
        case "AWS::Lambda::Function":
            properties = _without(properties, "Code")
        case "AWS::Lambda::Permission":
            name = f"{properties['FunctionName']} {properties['SourceArn']}"
        case "AWS::ApiGatewayV2::Api" if "Body" in properties:
            properties = {"Name": properties["Body"]["info"]["title"], "ProtocolType": "HTTP"}
        case "AWS::ApiGatewayV2::Stage":
            name = "ApiStage"
            log = properties["AccessLogSettings"]
            log = {**log, "Format": json.loads(log["Format"])}
            properties = {**properties, "AccessLogSettings": log}
        case "AWS::IAM::Role":
            policies = [
                {**policy, "PolicyDocument": _sorted(policy["PolicyDocument"])}
                for policy in properties["Policies"]
            ]
            properties = {**properties, "Policies": policies}
    return name, {**resource, "Properties": properties}


def _sorted(document: Template) -> Template:
    """Return a policy with its statements by name: their order says nothing."""
    return {**document, "Statement": sorted(document["Statement"], key=lambda it: it["Sid"])}


def _without(mapping: Template, *names: str) -> Template:
    return {name: it for name, it in mapping.items() if name not in names}
