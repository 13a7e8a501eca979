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
        log_group = logs.LogGroup(
            stack,
            "ApiLogGroup",
            log_group_name=f"/aws/apigateway/{stack.stack_name}",
            retention=logs.RetentionDays.TWO_WEEKS,
            removal_policy=RemovalPolicy.DESTROY,
        )
        # HttpStage takes an access log in TypeScript only.
        stage = cast(apigateway.CfnStage, self.node.find_child("DefaultStage").node.default_child)
        stage.access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
            destination_arn=log_group.log_group_arn, format=LINE
        )
        CfnOutput(stack, "ApiUrl", value=self.api_endpoint)

    def add(self, function: lambda_.Function, routes: list[str]) -> None:
        """Have a function answer routes such as `GET /items/{id}`."""
        integration = HttpLambdaIntegration(function.node.id, function)
        for method, path in map(str.split, routes):
            verb = apigateway.HttpMethod[method]
            self.add_routes(path=path, methods=[verb], integration=integration)
