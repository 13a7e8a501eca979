"""The HTTP API: every route asks for a signature (IAM) and leaves a line in the access log."""

from typing import cast

from aws_cdk import CfnOutput, RemovalPolicy, Stack
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk.aws_apigatewayv2_authorizers import HttpIamAuthorizer
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration

LINE = (
    '{"requestId":"$context.requestId","ip":"$context.identity.sourceIp",'
    '"time":"$context.requestTime","routeKey":"$context.routeKey","status":"$context.status",'
    '"latency":"$context.responseLatency","error":"$context.integrationErrorMessage"}'
)


class Api(apigateway.HttpApi):
    """The API, to which functions are added with their routes."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(
            stack, "Api", api_name=stack.stack_name, default_authorizer=HttpIamAuthorizer()
        )
