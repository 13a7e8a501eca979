"""A function with its execution role, its log group and its alarms."""

from collections.abc import Mapping, Sequence

from aws_cdk import Acknowledgment, Validations
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk.aws_s3_assets import Asset
from constructs import Construct

from infra.code import ARCHITECTURE, PYTHON
from infra.parameters import Parameters

DIMENSION = cloudwatch.CfnAlarm.DimensionProperty
QUERY = cloudwatch.CfnAlarm.MetricDataQueryProperty


class ServiceFunction:
    """A Lambda function and what belongs to it. The prefix begins the logical ids."""

    def __init__(
        self,
        scope: Construct,
        prefix: str,
        *,
        name: str,
        role_name: str,
        handler: str,
        code: Asset,
        environment: Mapping[str, str],
        parameters: Parameters,
{%- if cookiecutter.network != "public" %}
        vpc_config: lambda_.CfnFunction.VpcConfigProperty,
{%- endif %}
        statements: Sequence[iam.PolicyStatement] = (),
    ) -> None:
        log_group = logs.CfnLogGroup(
            scope, f"{prefix}LogGroup", log_group_name=f"/aws/lambda/{name}", retention_in_days=14
        )
        role = execution_role(scope, prefix, role_name, log_group, statements)
        function = lambda_.CfnFunction(
            scope,
            f"{prefix}Function",
            function_name=name,
            handler=handler,
            runtime=f"python{PYTHON}",
            architectures=[ARCHITECTURE],
            code=lambda_.CfnFunction.CodeProperty(
                s3_bucket=code.s3_bucket_name, s3_key=code.s3_object_key
            ),
            memory_size=512,
            timeout=10,
            tracing_config=lambda_.CfnFunction.TracingConfigProperty(mode="Active"),
            reserved_concurrent_executions=parameters.reserved_concurrency,
            environment=lambda_.CfnFunction.EnvironmentProperty(variables=environment),
{%- if cookiecutter.network != "public" %}
            vpc_config=vpc_config,
{%- endif %}
            role=role.attr_arn,
            logging_config=lambda_.CfnFunction.LoggingConfigProperty(
                log_format="JSON", log_group=log_group.ref
            ),
        )
        code.add_resource_metadata(function, "Code")
{%- if cookiecutter.python_version != "3.14" %}
        Validations.of(function).acknowledge(
            Acknowledgment(
                id="AwsSolutions::AwsSolutions-L1",
                reason="Python {{ cookiecutter.python_version }} is what the dependencies are built for and what is tested.",
            )
        )
{%- endif %}
        add_alarms(scope, prefix, function.ref, parameters.alarm_actions)
        self.name = function.ref
        self.arn = function.attr_arn
        self.role_arn = role.attr_arn


def execution_role(
    scope: Construct,
    prefix: str,
    name: str,
    log_group: logs.CfnLogGroup,
    statements: Sequence[iam.PolicyStatement],
) -> iam.CfnRole:
    """Return a role that may write logs, trace{{ ", attach to the VPC" if cookiecutter.network != "public" }} and what the statements say."""
    role = iam.CfnRole(
        scope,
        f"{prefix}ExecutionRole",
        role_name=name,  # CloudFormation would cut its own
        assume_role_policy_document=iam.PolicyDocument(
            statements=[
                iam.PolicyStatement(
                    principals=[iam.ServicePrincipal("lambda.amazonaws.com")],
                    actions=["sts:AssumeRole"],
                )
            ]
        ),
        policies=[
            iam.CfnRole.PolicyProperty(
                policy_name="Function",
                policy_document=iam.PolicyDocument(
                    statements=[
                        iam.PolicyStatement(
                            sid="WriteLogs",
                            actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                            resources=[log_group.attr_arn],
                        ),
                        iam.PolicyStatement(
                            sid="Trace",
                            actions=["xray:PutTraceSegments", "xray:PutTelemetryRecords"],
                            resources=["*"],
                        ),
{%- if cookiecutter.network != "public" %}
                        iam.PolicyStatement(
                            sid="AttachToVpc",
                            actions=[
                                "ec2:CreateNetworkInterface",
                                "ec2:DescribeNetworkInterfaces",
                                "ec2:DescribeSubnets",
                                "ec2:DeleteNetworkInterface",
                                "ec2:AssignPrivateIpAddresses",
                                "ec2:UnassignPrivateIpAddresses",
                            ],
                            resources=["*"],
                        ),
{%- endif %}
                        *statements,
                    ]
                ),
            )
        ],
    )
    Validations.of(role).acknowledge(
        Acknowledgment(
            id="AwsSolutions::AwsSolutions-IAM5[Resource::*]",
{%- if cookiecutter.network == "public" %}
            reason="X-Ray has no resources to name.",
{%- else %}
            reason="X-Ray has no resources to name, and those of the VPC that the function is "
            "attached to can't be named when it is created.",
{%- endif %}
        )
    )
    return role


def add_alarms(scope: Construct, prefix: str, function_name: str, alarm_actions: list[str]) -> None:
    """Watch the function: errors, throttles, the database out of reach, connections opened."""
    for metric, description in {
        "Errors": "Invocations end in an error or at the timeout",
        "Throttles": "The reserved concurrency is used up, see ReservedConcurrency",
    }.items():
        alarm = cloudwatch.CfnAlarm(
            scope,
            f"{prefix}{metric}Alarm",
            alarm_description=description,
            alarm_actions=alarm_actions,
            namespace="AWS/Lambda",
            metric_name=metric,
            dimensions=[DIMENSION(name="FunctionName", value=function_name)],
            statistic="Sum",
            period=300,
            evaluation_periods=1,
            threshold=1,
            comparison_operator="GreaterThanOrEqualToThreshold",
            treat_missing_data="notBreaching",
        )
        acknowledge_no_actions(alarm)

    service = "{{ cookiecutter.project_slug }}"
    alarm = cloudwatch.CfnAlarm(
        scope,
        f"{prefix}UnavailableAlarm",
        alarm_description="The database is unavailable in 3 of 15 minutes, the function's log says "
        "why",
        alarm_actions=alarm_actions,
        namespace=service,
        metric_name="Unavailable",
        dimensions=[
            DIMENSION(name="service", value=service),
            DIMENSION(name="FunctionName", value=function_name),
        ],
        statistic="Sum",
        period=60,
        evaluation_periods=15,
        datapoints_to_alarm=3,
        threshold=1,
        comparison_operator="GreaterThanOrEqualToThreshold",
        treat_missing_data="notBreaching",
    )
    acknowledge_no_actions(alarm)

    def total(id: str, namespace: str, name: str, **dimensions: str) -> QUERY:
        metric = cloudwatch.CfnAlarm.MetricProperty(
            namespace=namespace,
            metric_name=name,
            dimensions=[DIMENSION(name=key, value=it) for key, it in dimensions.items()],
        )
        stat = cloudwatch.CfnAlarm.MetricStatProperty(metric=metric, stat="Sum", period=300)
        return QUERY(id=id, metric_stat=stat, return_data=False)

    alarm = cloudwatch.CfnAlarm(
        scope,
        f"{prefix}ConnectionsAlarm",
        alarm_description="Over half of the invocations open a connection, so the client isn't "
        "reused",
        alarm_actions=alarm_actions,
        metrics=[
            QUERY(
                id="ratio",
                label="Connections opened per invocation",
                expression="IF(invocations >= 100, FILL(opened, 0) / invocations, 0)",
            ),
            total(
                "opened",
                service,
                "ConnectionsOpened",
                service=service,
                FunctionName=function_name,
            ),
            total("invocations", "AWS/Lambda", "Invocations", FunctionName=function_name),
        ],
        evaluation_periods=3,
        threshold=0.5,
        comparison_operator="GreaterThanThreshold",
        treat_missing_data="notBreaching",
    )
    acknowledge_no_actions(alarm)


def acknowledge_no_actions(alarm: cloudwatch.CfnAlarm) -> None:
    """Tell the CDK that it's meant."""
    Validations.of(alarm).acknowledge(
        Acknowledgment(
            id="CloudFormation-Validate::F3033",
            reason="Without a topic the alarm has no actions, rather than an empty list of them.",
        )
    )
