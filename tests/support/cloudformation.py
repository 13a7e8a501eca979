"""What CloudFormation makes of a template and parameters, as far as the templates here need it."""

import copy
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from unittest import mock

import cfnlint.template  # type: ignore[import-untyped]
from samtranslator.translator.transform import transform  # type: ignore[import-untyped]

Template = dict[str, Any]


class RefusedError(Exception):
    """CloudFormation would refuse the parameters, in these words, before it makes anything."""


@dataclass(frozen=True)
class Plan:
    """What a deploy would make: resources and outputs, with parameters and conditions applied."""

    resources: dict[str, Any]
    outputs: dict[str, Any]

    def of(self, *types: str) -> dict[str, Any]:
        """Properties of the resources of these types, by logical ID."""
        return {
            name: resource.get("Properties", {})
            for name, resource in self.resources.items()
            if resource["Type"] in types
        }


LANGUAGE_EXTENSIONS = "AWS::LanguageExtensions"


def unroll(template: Template) -> Template:
    """Apply AWS::LanguageExtensions, if it is declared, as cfn-lint does."""
    if LANGUAGE_EXTENSIONS not in template["Transform"]:
        return template
    rest = [it for it in template["Transform"] if it != LANGUAGE_EXTENSIONS]
    alone = copy.deepcopy(template) | {"Transform": [LANGUAGE_EXTENSIONS]}
    linted = cfnlint.template.Template("template.yaml", alone)
    faults = linted.transform()
    assert not faults, faults
    unrolled = {**linted.template, "Transform": rest}
    if "Fn::FindInMap" not in json.dumps(unrolled):
        unrolled.pop("Mappings", None)  # which cfn-lint would find unused
    return unrolled


def expand(template: Template) -> Template:
    """Apply the transforms, as CloudFormation does."""
    template = copy.deepcopy(unroll(template))
    template["Globals"]["Function"]["CodeUri"] = "s3://bucket/code.zip"
    parameters = template["Parameters"]
    # SAM resolves some of them, by the values of a deploy: `plan` has those.
    template["Parameters"] = {name: {**it} for name, it in parameters.items()}
    for parameter in template["Parameters"].values():
        parameter.pop("Default", None)
    with mock.patch.dict(os.environ, {"AWS_DEFAULT_REGION": "us-east-1"}):
        expanded: Template = transform(template, {}, SimpleNamespace(load=dict))
    return {**expanded, "Parameters": parameters}


def plan(template: Template, **given: str) -> Plan:
    """Apply parameters to an expanded template, or raise RefusedError."""
    values = _judge(template.get("Parameters", {}), given)
    for rule in template.get("Rules", {}).values():
        if _holds(rule.get("RuleCondition", True), values, {}):
            for assertion in rule["Assertions"]:
                if not _holds(assertion["Assert"], values, {}):
                    raise RefusedError(assertion["AssertDescription"])
    conditions = template.get("Conditions", {})

    def made(part: str) -> dict[str, Any]:
        return {
            name: _resolve(it, values, conditions)
            for name, it in template.get(part, {}).items()
            if _holds(
                {"Condition": it["Condition"]} if "Condition" in it else True, values, conditions
            )
        }

    return Plan(made("Resources"), made("Outputs"))


def _judge(parameters: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    if unknown := given.keys() - parameters.keys():
        raise RefusedError(f"Parameters: {sorted(unknown)} do not exist in the template")
    values = {name: str(it["Default"]) for name, it in parameters.items() if "Default" in it}
    values |= given
    if missing := parameters.keys() - values.keys():
        raise RefusedError(f"Parameters: {sorted(missing)} must have values")
    for name, parameter in parameters.items():
        if not re.fullmatch(parameter.get("AllowedPattern", ".*"), values[name]):
            raise RefusedError(f"{name}: {parameter['ConstraintDescription']}")
    return values


def _holds(expression: Any, values: Mapping[str, str], conditions: Mapping[str, Any]) -> bool:
    if isinstance(expression, bool):
        return expression
    [(function, argument)] = expression.items()
    match function:
        case "Condition":
            return _holds(conditions[argument], values, conditions)
        case "Fn::Equals":
            left, right = (str(_resolve(it, values, conditions)) for it in argument)
            return left == right
        case "Fn::Not":
            return not _holds(argument[0], values, conditions)
        case "Fn::And":
            return all(_holds(it, values, conditions) for it in argument)
        case "Fn::Or":
            return any(_holds(it, values, conditions) for it in argument)
        case "Fn::Contains":
            texts, text = (_resolve(it, values, conditions) for it in argument)
            return text in texts
    raise ValueError(f"no function of conditions: {function}")


NO_VALUE = {"Ref": "AWS::NoValue"}


def _resolve(node: Any, values: Mapping[str, str], conditions: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        items = [_resolve(it, values, conditions) for it in node]
        return [it for it in items if it != NO_VALUE]
    if not isinstance(node, dict):
        return node
    if node.keys() == {"Ref"} and node["Ref"] in values:
        return values[node["Ref"]]
    if node.keys() == {"Fn::Sub"} and isinstance(node["Fn::Sub"], str):
        text = re.sub(r"\$\{(\w+)\}", lambda it: values.get(it[1], it[0]), node["Fn::Sub"])
        return {"Fn::Sub": text} if "${" in text else text
    if node.keys() == {"Fn::If"}:
        condition, yes, no = node["Fn::If"]
        chosen = yes if _holds({"Condition": condition}, values, conditions) else no
        return _resolve(chosen, values, conditions)
    resolved = {name: _resolve(it, values, conditions) for name, it in node.items()}
    return {name: it for name, it in resolved.items() if it != NO_VALUE}
