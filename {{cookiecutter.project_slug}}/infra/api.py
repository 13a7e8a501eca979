{% include 'infra/api.py/' ~ cookiecutter.api_auth ~ '.py' %}        log_group = logs.LogGroup(
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

    def add(self, function: lambda_.IFunction, routes: list[str]) -> None:
        """Have a function answer routes such as `GET /items/{id}`."""
        integration = HttpLambdaIntegration(function.node.id, function)
        for method, path in map(str.split, routes):
            verb = apigateway.HttpMethod[method]
            self.add_routes(path=path, methods=[verb], integration=integration)
