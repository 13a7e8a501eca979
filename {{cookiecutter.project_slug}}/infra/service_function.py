{%- from 'service.j2' import vpc with context -%}
{%- set fn = {"no": "", "yes": {true: "Fn, ", false: ""}[vpc]}[cookiecutter.snapstart] -%}
"""A function with its execution role, its log group and its alarms."""

from typing import Any

from aws_cdk import Acknowledgment, CfnOutput, Duration, {{ fn }}RemovalPolicy, Stack, Validations
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk.aws_cloudwatch_actions import SnsAction

from infra.code import ARCHITECTURE, PYTHON
from infra.settings import Settings

SERVICE = "{{ cookiecutter.project_slug }}"
ANY_RESOURCE = Acknowledgment(
    id="AwsSolutions::AwsSolutions-IAM5[Resource::*]",
    reason="{{ "X-Ray, and Lambda attaching a function to a VPC, have" if vpc else "X-Ray has" }} no resources to name.",
)
RUNTIME = Acknowledgment(
    id="AwsSolutions::AwsSolutions-L1",
    reason="The dependencies are built for this Python and tested with it.",
)


class ServiceFunction(lambda_.Function):
    """A Lambda function, whose role may do what is granted, and nothing else."""

    def __init__(
        self, stack: Stack, prefix: str, settings: Settings, *, role_name: str, **options: Any
    ) -> None:
        """Make one with ids that begin with the prefix. Options are Function's."""
        log_group = logs.LogGroup(
            stack,
            f"{prefix}LogGroup",
            log_group_name=f"/aws/lambda/{options['function_name']}",
            retention=logs.RetentionDays.TWO_WEEKS,
            removal_policy=RemovalPolicy.DESTROY,
        )
        role = iam.Role(
            stack,
            f"{prefix}ExecutionRole",
            role_name=role_name,  # CloudFormation would cut its own
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        )
        log_group.grant_write(role)
{%- if cookiecutter.snapstart == "yes" and vpc %}
        # The CDK doesn't see what is replaced, but then a new version has to be published, too.
        groups = [it.security_group_id for it in options["security_groups"]]
        places = [settings.cluster_host, *groups, *options["vpc"].select_subnets().subnet_ids]
        if settings.connection_options:
            places.append(settings.connection_options)
{%- endif %}
        super().__init__(
            stack,
            f"{prefix}Function",
{%- if cookiecutter.snapstart == "no" %}
            runtime=lambda_.Runtime(f"python{PYTHON}", lambda_.RuntimeFamily.PYTHON),
{%- elif cookiecutter.snapstart == "yes" %}
            runtime=lambda_.Runtime(
                f"python{PYTHON}", lambda_.RuntimeFamily.PYTHON, supports_snap_start=True
            ),
            snap_start=lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS,
            current_version_options=lambda_.VersionOptions(
                # A snapshot is charged as long as its version is there.
                removal_policy=RemovalPolicy.DESTROY,
                description={{ 'Fn.join(" ", places)' if vpc else 'f"{settings.cluster_host} {settings.connection_options}".strip()' }},
            ),
{%- endif %}
            architecture=lambda_.Architecture.custom(ARCHITECTURE),
            memory_size=512,
            timeout=Duration.seconds(10),
            environment={"POWERTOOLS_SERVICE_NAME": SERVICE},
            tracing=lambda_.Tracing.ACTIVE,
            reserved_concurrent_executions=int(settings.reserved_concurrency) or None,
            role=role,
            log_group=log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            **options,
        )
        if settings.connection_options:
            self.add_environment("MONGODB_OPTIONS", settings.connection_options)
{%- if cookiecutter.snapstart == "yes" %}
        self.live = self.add_alias("live")  # the version that is invoked
{%- endif %}
        Validations.of(role).acknowledge(ANY_RESOURCE)
        Validations.of(self).acknowledge(RUNTIME)
        CfnOutput(stack, f"{prefix}FunctionName", value=self.function_name)
        CfnOutput(stack, f"{prefix}ExecutionRoleArn", value=role.role_arn)
        self._topics = [settings.alarm_topic_arn] if settings.alarm_topic_arn else []
        self._add_alarms()

    def _add_alarms(self) -> None:
        """Alarm on errors, throttles, an unavailable database and connections opened."""
        opened, unavailable = self.count("ConnectionsOpened"), self.count("Unavailable")
        ratio = cloudwatch.MathExpression(
            label="Connections opened per invocation",
            expression="IF(invocations >= 100, FILL(opened, 0) / invocations, 0)",
            using_metrics={"opened": opened, "invocations": self.metric_invocations()},
        )
        self._alarm("Errors", self.metric_errors(), "Invocations end in an error or at the timeout")
        used_up = "The reserved concurrency is used up, see ReservedConcurrency"
        self._alarm("Throttles", self.metric_throttles(), used_up)
        self._alarm(
            "Unavailable",
            unavailable.with_(period=Duration.minutes(1)),
            "The database is unavailable in 3 of 15 minutes, the function's log says why",
            evaluation_periods=15,
            datapoints_to_alarm=3,
        )
        self._alarm(
            "Connections",
            ratio,
            "Over half of the invocations open a connection, so the client isn't reused",
            threshold=0.5,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=3,
        )

    def count(self, name: str) -> cloudwatch.Metric:
        """Return a metric that connection.py counts."""
        dimensions = {"service": SERVICE, "FunctionName": self.function_name}
        return cloudwatch.Metric(
            namespace=SERVICE, metric_name=name, dimensions_map=dimensions, statistic="Sum"
        )

    def _alarm(self, name: str, metric: Any, description: str, **options: Any) -> None:
        """Make an alarm, which goes off at the first unless the options say otherwise."""
        alarm = metric.create_alarm(
            self,
            f"{name}Alarm",
            alarm_description=description,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            **{"threshold": 1, "evaluation_periods": 1, **options},
        )
        for arn in self._topics:
            alarm.add_alarm_action(SnsAction(sns.Topic.from_topic_arn(alarm, "Topic", arn)))
