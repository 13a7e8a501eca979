"""The HTTP API: every route asks for a bearer token and leaves a line in the access log."""

from typing import cast

from aws_cdk import CfnOutput, RemovalPolicy, Stack
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk.aws_apigatewayv2_authorizers import HttpJwtAuthorizer
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration

from infra.settings import Settings

LINE = (
    '{"requestId":"$context.requestId","ip":"$context.identity.sourceIp",'
    '"time":"$context.requestTime","routeKey":"$context.routeKey","status":"$context.status",'
    '"latency":"$context.responseLatency","error":"$context.integrationErrorMessage",'
    '"caller":"$context.authorizer.claims.sub"}'
)


class Api(apigateway.HttpApi):
    """The API, to which functions are added with their routes."""

    def __init__(self, stack: Stack, settings: Settings) -> None:
        audience = settings.jwt_audience.split(",")
        cors = apigateway.CorsPreflightOptions(
            allow_origins=settings.cors_origins.split(","),
            allow_methods=[apigateway.CorsHttpMethod.ANY],
            allow_headers=["authorization", "content-type"],  # "*" would leave authorization out
            expose_headers=["retry-after"],
        )
        super().__init__(
            stack,
            "Api",
            api_name=stack.stack_name,
            default_authorizer=HttpJwtAuthorizer("Jwt", settings.jwt_issuer, jwt_audience=audience),
            cors_preflight=cors if settings.cors_origins else None,
        )
