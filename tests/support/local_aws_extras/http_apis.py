"""HTTP APIs: import of an OpenAPI definition (`Body`), and the function's leave to be invoked."""

import fnmatch
import re
import uuid
from collections.abc import Iterator
from typing import Any

from ministack import app  # type: ignore[import-not-found]
from ministack.core.responses import get_region  # type: ignore[import-not-found]
from ministack.services import apigateway, lambda_svc  # type: ignore[import-not-found]
from ministack.services.cloudformation import provisioners  # type: ignore[import-not-found]
from samtranslator.translator import transform  # type: ignore[import-untyped]

Properties = dict[str, Any]
Provisioned = tuple[str, dict[str, Any]]

_METHODS = {"get", "put", "post", "delete", "options", "head", "patch"}
_ANY = "x-amazon-apigateway-any-method"
_INTEGRATION = "x-amazon-apigateway-integration"
_FAILED = '{"message":"Internal Server Error"}'  # all that a caller learns of a failed function
_AUTHORIZER = "x-amazon-apigateway-authorizer"
_CORS = "x-amazon-apigateway-cors"
_UNDERSTOOD = {"openapi", "info", "paths", "components", "security", "tags", _CORS}


def register() -> None:
    """Wrap ministack's HTTP APIs, and let them be called by their public names, too."""
    hosts = rf"(?:{re.escape(app._MINISTACK_HOST)}|[\w-]+\.amazonaws\.com)"
    app._EXECUTE_API_RE = re.compile(rf"^([a-f0-9]{{8}})\.execute-api\.{hosts}(?::\d+)?$")
    handlers = provisioners._RESOURCE_HANDLERS["AWS::ApiGatewayV2::Api"]
    create_api, update_api = handlers["create"], handlers["update"]

    def create(logical_id: str, properties: Properties, stack: str) -> Provisioned:
        api_id, attributes = create_api(logical_id, named(properties), stack)
        return imported(api_id, attributes, properties)

    def update(physical_id: str, old: Properties, new: Properties, *rest: Any) -> Provisioned:
        api_id, attributes = update_api(physical_id, named(old), named(new), *rest)
        return imported(api_id, attributes, new)

    def imported(api_id: str, attributes: dict[str, Any], properties: Properties) -> Provisioned:
        if body := properties.get("Body"):
            import_definition(api_id, body)
        endpoint = f"https://{api_id}.execute-api.{get_region()}.amazonaws.com"
        # ministack keeps it as the template writes it, and reads it as the API does.
        if cors := properties.get("CorsConfiguration"):
            apigateway._apis[api_id]["corsConfiguration"] = _decapitalized(cors)
        return api_id, attributes | {"ApiEndpoint": endpoint}

    handlers.update({"create": create, "update": update})
    invoke = apigateway._invoke_lambda_proxy

    async def invoke_if_permitted(
        integration: Any, api_id: str, stage: str, path: str, method: str, headers: Any, body: Any,
        query: Any, route_key: str = "$default", *rest: Any, **options: Any,
    ) -> Any:  # fmt: skip
        owner = options["owner_account_id"], options["owner_region"]
        if claims := options.get("authorizer_claims"):
            options["authorizer_claims"] = {name: _claim(it) for name, it in claims.items()}
        if not _may_invoke(integration, owner, api_id, stage, route_key):
            return 500, {"Content-Type": "application/json"}, _FAILED.encode()
        status, answer, content = await invoke(
            integration, api_id, stage, path, method, headers, body, query, route_key,
            *rest, **options,
        )  # fmt: skip
        return status, answer, content or b""  # a function's null is no body

    apigateway._invoke_lambda_proxy = invoke_if_permitted
    transform_by_defaults = transform.transform

    def transform_by_values(template: Properties, *rest: Any) -> Any:
        """SAM resolves some parameters itself, and ministack doesn't tell it their values."""
        parameters = template.get("Parameters", {})
        bare = {
            name: {key: value for key, value in it.items() if key != "Default"}
            for name, it in parameters.items()
        }
        found = transform_by_defaults({**template, "Parameters": bare}, *rest)
        return {**found, "Parameters": parameters}

    transform.transform = transform_by_values
    answer_of = lambda_svc.lambda_execute_result_to_api_proxy_response

    def answer_or_failure(result: dict[str, Any]) -> Any:
        if result.get("error") and not result.get("throttle"):
            headers = {"Content-Type": "application/json"}
            return {"statusCode": 500, "headers": headers, "body": _FAILED}, None
        return answer_of(result)

    lambda_svc.lambda_execute_result_to_api_proxy_response = answer_or_failure


def named(properties: Properties) -> Properties:
    """The properties with the definition's title as name unless they have one."""
    title = properties.get("Body", {}).get("info", {}).get("title")
    return {"Name": title} | properties if title else properties


def import_definition(api_id: str, body: dict[str, Any]) -> None:
    """Replace routes and integrations by those of an OpenAPI 3 definition.

    ValueError for what isn't understood here: no part of an API is left out in silence.
    """
    if unknown := body.keys() - _UNDERSTOOD:
        raise ValueError(f"not understood in the API's Body: {', '.join(sorted(unknown))}")
    routes, integrations = {}, {}
    apigateway._authorizers[api_id] = {
        name: _authorizer(name, scheme[_AUTHORIZER])
        for name, scheme in _schemes(body).items()
        if _AUTHORIZER in scheme
    }
    apigateway._apis[api_id].pop("corsConfiguration", None)
    if cors := body.get(_CORS):
        apigateway._apis[api_id]["corsConfiguration"] = cors
    for route_key, operation in _operations(body["paths"]):
        integration_id, route_id = uuid.uuid4().hex[:8], uuid.uuid4().hex[:8]
        integrations[integration_id] = {"integrationId": integration_id} | _integration(operation)
        route = {"RouteKey": route_key, "Target": f"integrations/{integration_id}"}
        route |= _authorization(operation, body)
        routes[route_id] = {"routeId": route_id} | provisioners._apigw_v2_route_props(route)
    apigateway._routes[api_id] = routes
    apigateway._integrations[api_id] = integrations


def _operations(paths: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Route key and definition of every operation."""
    for path, methods in paths.items():
        for method, operation in methods.items():
            if method.lower() not in _METHODS | {_ANY}:
                raise ValueError(f"not understood in the API's Body: {path} {method}")
            if path == "/$default":
                yield "$default", operation
            else:
                yield f"{'ANY' if method == _ANY else method.upper()} {path}", operation


def _integration(operation: dict[str, Any]) -> dict[str, Any]:
    definition = operation[_INTEGRATION]
    if definition["type"].upper() != "AWS_PROXY":
        raise ValueError(f"not understood in the API's Body: integration {definition['type']}")
    properties = {
        "IntegrationType": "AWS_PROXY",
        "IntegrationUri": definition["uri"],
        "IntegrationMethod": definition["httpMethod"],
        # The import's default, unlike that of AWS::ApiGatewayV2::Integration in ministack.
        "PayloadFormatVersion": definition.get("payloadFormatVersion", "1.0"),
    }
    if properties["PayloadFormatVersion"] != "2.0":
        raise ValueError("only payload format 2.0 is understood here")
    integration: dict[str, Any] = provisioners._apigw_v2_integration_props(properties)
    return integration


def _schemes(body: dict[str, Any]) -> dict[str, Any]:
    schemes: dict[str, Any] = body.get("components", {}).get("securitySchemes", {})
    return schemes


def _authorizer(name: str, definition: dict[str, Any]) -> dict[str, Any]:
    """An authorizer, whose id is the name of its security scheme."""
    if definition.keys() != {"type", "identitySource", "jwtConfiguration"}:
        raise ValueError(f"not understood in the API's Body: security scheme {name}")
    return {
        "authorizerId": name,
        "authorizerType": definition["type"].upper(),
        "name": name,
        "identitySource": [definition["identitySource"]],
        "jwtConfiguration": definition["jwtConfiguration"],
    }


def _authorization(operation: dict[str, Any], body: dict[str, Any]) -> Properties:
    """Properties of a route that say who may use it."""
    requirements = operation.get("security", body.get("security")) or []
    for name, scopes in (pair for requirement in requirements for pair in requirement.items()):
        scheme = _schemes(body).get(name, {})
        if scheme.get(_AUTHORIZER, {}).get("type") == "jwt":
            authorizer = {"AuthorizerId": name, "AuthorizationScopes": scopes}
            return {"AuthorizationType": "JWT", **authorizer}
        if scheme.get("x-amazon-apigateway-authtype") != "awsSigv4":
            raise ValueError(f"not understood in the API's Body: security scheme {name}")
    return {"AuthorizationType": "AWS_IAM" if requirements else "NONE"}


def _decapitalized(properties: Properties) -> Properties:
    return {name[0].lower() + name[1:]: it for name, it in properties.items()}


def _claim(value: Any) -> str:
    """A claim as events have it: text, also of a number or a list."""
    return f"[{' '.join(map(str, value))}]" if isinstance(value, list) else str(value)


def _may_invoke(
    integration: dict[str, Any], owner: tuple[str, str], api_id: str, stage: str, route_key: str
) -> bool:
    """Whether the function's own policy (AWS::Lambda::Permission) lets this route invoke it.

    Leave to invoke an alias is none to invoke the function, nor the other way round.
    """
    account, region = owner
    arn = apigateway._extract_lambda_ref_from_integration_uri(integration["integrationUri"])
    function, _, _ = lambda_svc._get_func_record_for_ref_in_scope(
        ":".join(arn.split(":")[:7]), account_id=account, region=region
    )
    if function is None:
        return True  # ministack's own answer says that there is no such function
    method, _, path = route_key.partition(" ")
    route = f"{'*' if method == 'ANY' else method}{path}" if path else route_key
    source = f"arn:aws:execute-api:{region}:{account}:{api_id}/{stage}/{route}"
    return any(
        statement["Effect"] == "Allow"
        and statement["Principal"] in ({"Service": "apigateway.amazonaws.com"}, "*")
        and statement["Action"] in ("lambda:InvokeFunction", "lambda:*")
        and statement["Resource"] == arn
        and fnmatch.fnmatchcase(source, _source_arn(statement))
        for statement in function["policy"]["Statement"]
    )


def _source_arn(statement: dict[str, Any]) -> str:
    """The pattern that the statement demands of the caller's ARN."""
    conditions = statement.get("Condition", {})
    for operator in ("ArnLike", "AWS:ArnLike", "StringLike", "StringEquals"):
        for key, pattern in conditions.get(operator, {}).items():
            if key.lower() == "aws:sourcearn":
                return str(pattern)
    return "*"
