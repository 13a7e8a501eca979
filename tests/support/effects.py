"""What a deploy brings about, in one spelling, whichever tool described it.

Two stacks that do the same are equal here, whatever their logical IDs are and however their
resources are cut: a statement counts for its role, a rule for its security group, a route for its
subnets, an OpenAPI document for its routes. A resource or property that this module has no rule for
is compared as it is.
"""

import fnmatch
import ipaddress
import json
import re
from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

from tests.support.cloudformation import Plan
from tests.support.dashboards import shown

UNSEEN = {
    "Metadata": "CloudFormation makes nothing of it",
    "DependsOn": "the order in which resources are made",
    "Code": "where the tool has put the code, which both build by scripts/build.py",
    "Condition": "it is applied",
    "Tags": "SAM's createdBy; the CDK's names of subnets, for people in the console",
    "tags": "the same in SAM's OpenAPI document",
    "Sid": "a statement's name",
    "PolicyName": "a name within the role",
    "Id": "of a metric in an alarm, by which its expression alone knows it",
}
"""Properties that aren't compared, and why they make no difference."""

ADDED = {
    "a public subnet in the second Availability Zone": (
        "`ec2.Vpc` has one in each. It costs nothing, and is there for whoever wants a NAT gateway "
        "in each"
    ),
    "secretsmanager:DescribeSecret": (
        "`grant_read` of a secret allows it beside GetSecretValue. It tells nothing of the value, "
        "and only of that secret"
    ),
    "any method of a route's path": (
        "`HttpLambdaIntegration` allows the API to invoke the function by it. The API has no other "
        "routes than those compared here"
    ),
}
"""All that the CDK's L2 constructs add, and why that is well. Anything else fails.

How resources are cut isn't compared, nor is what UNSEEN names: a route table for each subnet, with
the same routes; policies beside roles and rules beside groups; the tags of subnets.
"""

_PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackName": "orders-service",
    "AWS::URLSuffix": "amazonaws.com",
}
# What the services take for granted, so that it makes no difference whether a template says it.
_DEFAULTS: dict[str, dict[str, Any]] = {
    "AWS::EC2::Subnet": {"MapPublicIpOnLaunch": "false"},
    "AWS::EC2::VPC": {"InstanceTenancy": "default"},
    "AWS::EC2::VPCEndpoint": {"PrivateDnsEnabled": "false"},
}
_TOOLS = ("Condition", "Metadata", "DependsOn")  # the plan has applied the conditions
# Rules that match nothing, in the words of both: without a rule, EC2 would allow everything.
_NOWHERE = [
    {"Description": "Nowhere", "IpProtocol": "-1", "CidrIp": "127.0.0.1/32"},
    {
        "Description": "Disallow all traffic",
        "IpProtocol": "icmp",
        "CidrIp": "255.255.255.255/32",
        "FromPort": "252",
        "ToPort": "86",
    },
]

Properties = dict[str, Any]


def effects(planned: Plan) -> dict[str, Any]:
    """Return what a deploy makes and shows, by what it is."""
    return dict(_Effects(planned).found)


class _Effects:
    def __init__(self, planned: Plan) -> None:
        self._names: dict[str, str] = {}
        for resource in planned.resources.values():
            if resource["Type"] == "AWS::Lambda::Function":
                [[role, _]] = resource["Properties"]["Role"].values()
                self._names[role] = f"role of {self._spell(resource['Properties']['FunctionName'])}"
        for _ in range(2):  # some are named after others
            for name, resource in planned.resources.items():
                if not self._names.get(name, "").startswith("role of "):
                    self._names[name] = self._name(name, resource)
        spelled = {
            name: self._spell({k: v for k, v in it.items() if k not in _TOOLS})
            for name, it in planned.resources.items()
        }
        self.found: dict[str, dict[str, Any]] = defaultdict(dict)
        self._tables: dict[str, list[str]] = {}  # subnets of each route table
        self._associations: list[Properties] = []
        self._ec2_routes: list[Properties] = []
        self._integrations: dict[str, Properties] = {}
        self._permissions: list[Properties] = []
        for name, resource in spelled.items():
            self._add(name, resource)
        self._finish()
        self.found["outputs"] = {
            name: self._spell(it["Value"]) for name, it in planned.outputs.items()
        }

    # Values and references, as text

    def _spell(self, node: Any) -> Any:
        if isinstance(node, bool):
            return str(node).lower()
        if isinstance(node, int | float):
            return str(node)
        if isinstance(node, list):
            return [self._spell(it) for it in node]
        if not isinstance(node, dict):
            return node
        match node:
            case {"Ref": str(name), **rest} if not rest:
                return self._reference(name)
            case {"Fn::GetAtt": [name, attribute], **rest} if not rest:
                return self._reference(name, attribute)
            case {"Fn::Sub": str(text), **rest} if not rest:
                return self._substitute(text, {})
            case {"Fn::Sub": [text, variables], **rest} if not rest:
                return self._substitute(text, self._spell(variables))
            case {"Fn::Join": [separator, parts], **rest} if not rest:
                return separator.join(self._spell(parts))
            case {"Fn::Split": [separator, text], **rest} if not rest:
                return self._spell(text).split(separator)
            case {"Fn::Select": [index, {"Fn::Cidr": [block, _, bits]}], **rest} if not rest:
                network = ipaddress.ip_network(self._spell(block))
                blocks = islice(network.subnets(new_prefix=32 - int(bits)), int(index) + 1)
                return str([*blocks][int(index)])
        return {name: self._spell(it) for name, it in node.items()}

    def _substitute(self, text: str, variables: Mapping[str, str]) -> str:
        def value(found: re.Match[str]) -> str:
            if found[1] in variables:
                return variables[found[1]]
            return self._reference(*found[1].split(".", 1))

        return re.sub(r"\$\{([\w:.]+)\}", value, text)

    def _reference(self, name: str, attribute: str = "") -> str:
        if name in _PSEUDO:
            return _PSEUDO[name]
        if attribute == "ApiEndpoint":
            return f"https://{self._reference(name)}.execute-api.us-east-1.amazonaws.com"
        if attribute == "GroupId":  # as Ref says, in a VPC
            attribute = ""
        return "<" + ".".join(filter(None, (self._names.get(name, name), attribute))) + ">"

    def _name(self, name: str, resource: Properties) -> str:
        """Tell a resource from the others of its type by what it is."""
        properties = resource.get("Properties", {})
        by = {
            "AWS::ApiGatewayV2::Authorizer": "Name",
            "AWS::CloudWatch::Dashboard": "DashboardName",
            "AWS::Lambda::Function": "FunctionName",
            "AWS::EC2::Subnet": "CidrBlock",
            "AWS::EC2::SecurityGroup": "GroupDescription",
            "AWS::EC2::VPCEndpoint": "ServiceName",
            "AWS::Logs::LogGroup": "LogGroupName",
            "MongoDB::Atlas::DatabaseUser": "Username",
        }
        kind = str(resource["Type"])
        if kind in ("AWS::Lambda::Version", "AWS::Lambda::Alias"):
            function = self._spell(properties["FunctionName"]).strip("<>")
            return f"{function}:{properties.get('Name', 'version')}"
        if kind == "AWS::CloudWatch::Alarm":
            functions = set(re.findall(r'{"Ref": "(\w+)"}', json.dumps(properties)))
            names = sorted(self._names.get(it, it) for it in functions)
            return f"{', '.join(names)}: {properties['AlarmDescription']}"
        if kind in by:
            return str(self._spell(properties[by[kind]]))
        if kind in ("AWS::EC2::RouteTable", "AWS::ApiGatewayV2::Integration"):
            return name  # they are looked up by it
        return kind

    # Resources

    def _add(self, name: str, resource: Properties) -> None:
        kind = resource.pop("Type")
        properties = _DEFAULTS.get(kind, {}) | resource.pop("Properties", {})
        properties.pop("Tags", None)
        if method := getattr(self, "_add_" + kind.replace("::", "_").lower(), None):
            properties = method(name, properties)
        if properties is None:  # it is a part of another
            return
        section, key = self.found[kind], self._names[name]
        assert key not in section, f"two of {kind}: {key}"
        section[key] = properties | {"DeletionPolicy": "Delete", "UpdateReplacePolicy": "Delete"}
        section[key] |= resource

    def _add_aws_lambda_function(self, _: str, it: Properties) -> Properties:
        return {key: value for key, value in it.items() if key != "Code"}

    def _add_aws_cloudwatch_alarm(self, _: str, it: Properties) -> Properties:
        for metric in it.get("Metrics", []):
            metric.setdefault("ReturnData", "true")
            if "Expression" in metric:  # nothing refers to it
                del metric["Id"]
            for dimensions in metric.get("MetricStat", {}).get("Metric", {}).values():
                _sort(dimensions)
        _sort(it.get("Metrics"))
        _sort(it.get("Dimensions"))
        return it

    def _add_aws_cloudwatch_dashboard(self, _: str, it: Properties) -> Properties:
        return it | {"DashboardBody": _shown(it["DashboardBody"])}

    def _add_aws_ec2_vpcendpoint(self, _: str, it: Properties) -> Properties:
        if "PolicyDocument" in it:
            it["PolicyDocument"] = _statements(it["PolicyDocument"])
        return it

    def _add_mongodb_atlas_databaseuser(self, _: str, it: Properties) -> Properties:
        if "Password" in it:  # a dynamic reference may end in a version, which is the current one
            it["Password"] = re.sub("::}}$", "}}", it["Password"])
        return it

    # Roles

    def _role(self, name: str) -> Properties:
        role: Properties = self.found["roles"].setdefault(name, {"Statements": []})
        return role

    def _add_aws_iam_role(self, name: str, it: Properties) -> None:
        policies, trust = it.pop("Policies", []), it.pop("AssumeRolePolicyDocument")
        role = self._role(self._names[name])
        role["Trust"] = _statements(trust)
        role |= it
        for policy in policies:
            self._allow(role, policy)

    def _add_aws_iam_policy(self, _: str, it: Properties) -> None:
        for role in it.pop("Roles"):
            self._allow(self._role(role.strip("<>")), dict(it))

    def _allow(self, role: Properties, policy: Properties) -> None:
        document = policy.pop("PolicyDocument")
        del policy["PolicyName"]
        assert not policy, policy
        role["Statements"] = sorted(role["Statements"] + _statements(document))

    # Security groups

    def _group(self, reference: str) -> Properties:
        group: Properties = self.found["security groups"].setdefault(
            reference.strip("<>"), {"In": [], "Out": []}
        )
        return group

    def _add_aws_ec2_securitygroup(self, name: str, it: Properties) -> None:
        group = self._group(self._names[name])
        group["In"] += it.pop("SecurityGroupIngress", [])
        group["Out"] += it.pop("SecurityGroupEgress", [])
        group |= it

    def _add_aws_ec2_securitygroupingress(self, _: str, it: Properties) -> None:
        self._group(it.pop("GroupId"))["In"].append(it)

    def _add_aws_ec2_securitygroupegress(self, _: str, it: Properties) -> None:
        self._group(it.pop("GroupId"))["Out"].append(it)

    # Routes of the network

    def _add_aws_ec2_routetable(self, name: str, it: Properties) -> None:
        self._tables[f"<{name}>"] = []
        assert it.keys() == {"VpcId"}
        self.found["VPCs of route tables"][it["VpcId"]] = {}

    def _add_aws_ec2_subnetroutetableassociation(self, _: str, it: Properties) -> None:
        self._associations.append(it)

    def _add_aws_ec2_route(self, _: str, it: Properties) -> None:
        self._ec2_routes.append(it)

    # The API

    def _add_aws_apigatewayv2_api(self, _: str, it: Properties) -> Properties:
        if "Body" not in it:
            return it
        body = it.pop("Body")
        assert it.keys() <= {"FailOnWarnings"}, it
        schemes = {
            name: self._authorization(name, scheme)
            for name, scheme in body.pop("components")["securitySchemes"].items()
        }
        for path, methods in body.pop("paths").items():
            for method, operation in methods.items():
                [[(scheme, scopes)]] = [it.items() for it in operation.pop("security")]
                assert not scopes
                integration = operation.pop("x-amazon-apigateway-integration")
                uri, verb = integration.pop("uri"), integration.pop("httpMethod")
                assert operation.pop("responses") == {}
                parameters = list(map(_parameter, re.findall("{(.*?)}", path)))
                assert operation.pop("parameters", []) == parameters
                [function] = re.findall("/functions/(<.*>)/invocations$", uri)
                assert verb == "POST"
                self.found["routes"][f"{method.upper()} {path}"] = {
                    "function": function,
                    **schemes[scheme],
                    "payload": integration.pop("payloadFormatVersion"),
                    "integration": integration.pop("type").upper(),
                    **operation,
                    **integration,
                }
        info = body.pop("info")
        assert (info.pop("version"), body.pop("openapi")) == ("1.0", "3.0.1")
        body.pop("tags", None)
        if cors := body.pop("x-amazon-apigateway-cors", {}):
            cors = {"CorsConfiguration": {f"{key[0].upper()}{key[1:]}": cors[key] for key in cors}}
        return {"Name": info.pop("title"), "ProtocolType": "HTTP", **cors, **info, **body}

    def _authorization(self, name: str, scheme: Properties) -> Properties:
        """Tell how the routes that name a security scheme of SAM's document are authorized."""
        if scheme == _SIGNED:
            return {"authorization": "AWS_IAM"}
        definition = scheme.pop("x-amazon-apigateway-authorizer")
        assert scheme == {"type": "oauth2"}
        self.found["authorizers"][name] = {
            "type": definition.pop("type").upper(),
            "identity": [definition.pop("identitySource")],
            **definition.pop("jwtConfiguration"),
            **definition,
        }
        return {"authorization": "JWT", "AuthorizerId": f"<{name}>"}

    def _add_aws_apigatewayv2_authorizer(self, _: str, it: Properties) -> None:
        assert it.pop("ApiId") == "<AWS::ApiGatewayV2::Api>"
        name, configuration = it.pop("Name"), it.pop("JwtConfiguration")
        self.found["authorizers"][name] = {
            "type": it.pop("AuthorizerType"),
            "identity": it.pop("IdentitySource"),
            "issuer": configuration.pop("Issuer"),
            "audience": configuration.pop("Audience"),
            **configuration,
            **it,
        }

    def _add_aws_apigatewayv2_integration(self, name: str, it: Properties) -> None:
        self._integrations[f"integrations/<{name}>"] = it

    def _add_aws_apigatewayv2_route(self, _: str, it: Properties) -> None:
        self.found["route resources"][it["RouteKey"]] = it

    def _add_aws_apigatewayv2_stage(self, _: str, it: Properties) -> Properties:
        log = it["AccessLogSettings"]
        log["Format"] = json.loads(log["Format"])
        return it

    def _add_aws_lambda_permission(self, _: str, it: Properties) -> None:
        self._permissions.append(it)

    # What can be said when all are known

    def _finish(self) -> None:
        for key, it in self.found.pop("route resources", {}).items():
            integration = dict(self._integrations[it["Target"]])
            assert {it.pop("ApiId"), integration.pop("ApiId")} == {"<AWS::ApiGatewayV2::Api>"}
            self.found["routes"][key] = {
                "function": integration.pop("IntegrationUri"),
                "authorization": it.pop("AuthorizationType", "NONE"),
                "payload": integration.pop("PayloadFormatVersion"),
                "integration": integration.pop("IntegrationType"),
                **{name: value for name, value in it.items() if name not in ("Target", "RouteKey")},
                **integration,
            }
        for key, route in self.found["routes"].items():
            route["invocable"] = any(_lets(it, key, route) for it in self._permissions)
        for it in self._permissions:
            function, source = it.pop("FunctionName"), it.pop("SourceArn")
            api, method, path = re.findall(r"^(.*?/\*)/(\w+|\*)(/.*)$", source)[0]
            path = re.sub("{.*?}", "*", path)
            function = function.replace(".Arn>", ">")
            who = f"{it.pop('Principal')} {it.pop('Action')}"
            key = f"{who} {function} {api} {path}"
            permission = self.found["permissions"].setdefault(key, it | {"methods": []})
            assert permission == it | {"methods": permission["methods"]}
            permission["methods"] = sorted([*permission["methods"], method])
        for group in self.found["security groups"].values():
            if "GroupDescription" in group:  # it is ours
                out = group["Out"] or ["everything"]
                group["Out"] = [it for it in out if it not in _NOWHERE]
            _sort(group["In"])
            _sort(group["Out"])
        for it in self._associations:
            subnet = it.pop("SubnetId")
            self._tables[it.pop("RouteTableId")].append(subnet)
            self.found["AWS::EC2::Subnet"][subnet.strip("<>")]["routes"] = []
            assert not it, it
        for route in self._ec2_routes:
            table = route.pop("RouteTableId")
            subnets = self._tables.get(table)
            if subnets is None:
                self.found["routes of other tables"].setdefault(table, []).append(route)
            for subnet in subnets or []:
                self.found["AWS::EC2::Subnet"][subnet.strip("<>")]["routes"].append(route)


# How SAM's document says that a request has to be signed.
_SIGNED = {
    "type": "apiKey",
    "name": "Authorization",
    "in": "header",
    "x-amazon-apigateway-authtype": "awsSigv4",
}


def _parameter(name: str) -> Properties:
    """Return how SAM's document says that a path has a parameter."""
    return {"name": name, "in": "path", "required": "true"}


@lru_cache  # which a sweep of changes asks for thousands of times
def _shown(body: str) -> list[Properties]:
    return shown(body)


def _sort(items: Any) -> None:
    """Sort a list whose order says nothing."""
    if isinstance(items, list):
        items.sort(key=lambda it: json.dumps(it, sort_keys=True))


def _statements(document: Properties) -> list[str]:
    """Return a policy's statements, each as text, without their names."""
    assert document.pop("Version") == "2012-10-17"
    found = []
    for statement in document.pop("Statement"):
        statement.pop("Sid", None)
        for key in ("Action", "Resource"):
            if key in statement:
                value = statement[key]
                statement[key] = sorted(value) if isinstance(value, list) else [value]
        found.append(json.dumps(statement, sort_keys=True))
    assert not document, document
    return sorted(found)


def _lets(permission: Properties, key: str, route: Properties) -> bool:
    """Whether a permission lets the API invoke a route's function."""
    method, path = key.split()
    api = "arn:aws:execute-api:us-east-1:123456789012:<AWS::ApiGatewayV2::Api>"
    name = route["function"].replace(".Arn>", ">")
    return (
        permission["FunctionName"].replace(".Arn>", ">") == name
        and permission["Action"] == "lambda:InvokeFunction"
        and permission["Principal"] == "apigateway.amazonaws.com"
        and fnmatch.fnmatchcase(f"{api}/$default/{method}{path}", permission["SourceArn"])
    )


def added(effect: dict[str, Any]) -> set[str]:
    """Take what ADDED names out of what the CDK's template brings about; return what was there."""
    subnet, describe, method = ADDED
    found = set()
    for name, it in list(effect.get("AWS::EC2::Subnet", {}).items()):
        second = re.fullmatch(r"\d+\.\d+\.3\.0/24", name)
        if second and it["routes"][0].get("GatewayId") == "<AWS::EC2::InternetGateway>":
            del effect["AWS::EC2::Subnet"][name]
            found.add(subnet)
    read = f'"Action": ["{describe}", "secretsmanager:GetSecretValue"]'
    for name, role in effect["roles"].items():
        if not name.startswith("role of "):
            continue
        statements = [
            it.replace(read, read.replace(f'"{describe}", ', "")) for it in role["Statements"]
        ]
        if statements != role["Statements"]:
            role["Statements"] = sorted(statements)
            found.add(describe)
    for key, permission in effect["permissions"].items():
        if set(permission["methods"]) == {"*"}:
            path = key.split()[-1]
            permission["methods"] = sorted(
                route.split()[0]
                for route, it in effect["routes"].items()
                if re.sub("{.*?}", "*", route.split()[1]) == path
                and it["function"].replace(".Arn>", ">") in key
            )
            found.add(method)
    return found
