"""The HTTP API: every route asks for a signature (IAM) and leaves a line in the access log."""

import json
import re

from aws_cdk import Aws
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.service_function import ServiceFunction

ACCESS_LOG = {
    "requestId": "$context.requestId",
    "ip": "$context.identity.sourceIp",
    "time": "$context.requestTime",
    "routeKey": "$context.routeKey",
    "status": "$context.status",
    "latency": "$context.responseLatency",
    "error": "$context.integrationErrorMessage",
}


class Api:
    """An HTTP API, to which routes are added."""

    def __init__(self, scope: Construct) -> None:
        self._scope = scope
        self._api = apigateway.CfnApi(scope, "Api", name=Aws.STACK_NAME, protocol_type="HTTP")
        log_group = logs.CfnLogGroup(
            scope,
            "ApiLogGroup",
            log_group_name=f"/aws/apigateway/{Aws.STACK_NAME}",
            retention_in_days=14,
        )
        apigateway.CfnStage(
            scope,
            "ApiStage",
            api_id=self._api.ref,
            stage_name="$default",
            auto_deploy=True,
            access_log_settings=apigateway.CfnStage.AccessLogSettingsProperty(
                destination_arn=log_group.attr_arn, format=json.dumps(ACCESS_LOG)
            ),
        )
        self.url = f"https://{self._api.ref}.execute-api.{Aws.REGION}.{Aws.URL_SUFFIX}"

    def add_route(self, name: str, route: str, function: ServiceFunction) -> None:
        """Have the function answer a route, such as `GET /items/{id}`."""
        integration = apigateway.CfnIntegration(
            self._scope,
            f"{name}Integration",
            api_id=self._api.ref,
            integration_type="AWS_PROXY",
            integration_uri=function.arn,
            payload_format_version="2.0",
        )
        apigateway.CfnRoute(
            self._scope,
            f"{name}Route",
            api_id=self._api.ref,
            route_key=route,
            authorization_type="AWS_IAM",
            target=f"integrations/{integration.ref}",
        )
        method, path = route.split()
        resource = f"{self._api.ref}/*/{method}{re.sub('{.*?}', '*', path)}"
        lambda_.CfnPermission(
            self._scope,
            f"{name}Permission",
            action="lambda:InvokeFunction",
            function_name=function.name,
            principal="apigateway.amazonaws.com",
            source_arn=f"arn:{Aws.PARTITION}:execute-api:{Aws.REGION}:{Aws.ACCOUNT_ID}:{resource}",
        )
