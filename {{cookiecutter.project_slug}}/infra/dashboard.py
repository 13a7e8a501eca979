"""The service's dashboard."""

from collections.abc import Callable, Iterable

from aws_cdk import Stack
from aws_cdk import aws_cloudwatch as cloudwatch

from infra.service_function import ServiceFunction
from infra.settings import Settings


def add_dashboard(stack: Stack, settings: Settings, functions: Iterable[ServiceFunction]) -> None:
    """Make a dashboard whose graphs have a line for each function."""
    shown = list(functions)

    def graph(
        title: str, metric: Callable[[ServiceFunction], cloudwatch.IMetric], **lines: float
    ) -> cloudwatch.GraphWidget:
        return cloudwatch.GraphWidget(
            title=title,
            left=[metric(it) for it in shown],
            left_annotations=[
                cloudwatch.HorizontalAnnotation(label=label, value=value)
                for label, value in lines.items()
                if value
            ],
        )

    reserved = int(settings.reserved_concurrency)
    cloudwatch.Dashboard(
        stack,
        "Dashboard",
        # The names of an account's dashboards are the same in all Regions.
        dashboard_name=f"{stack.stack_name}-{stack.region}",
        widgets=[
            [
                graph("Invocations", lambda it: it.metric_invocations()),
                graph("Errors", lambda it: it.metric_errors()),
                graph("Throttles", lambda it: it.metric_throttles()),
                graph("Concurrency", environments, ReservedConcurrency=reserved),
            ],
            [
                graph("Connections opened", lambda it: it.count("ConnectionsOpened")),
                graph("Connections opened per invocation", ratio, Alarm=0.5),
                graph("Failed logins", lambda it: it.count("FailedLogins")),
                graph("Unavailable", lambda it: it.count("Unavailable")),
            ],
        ],
    )


def environments(function: ServiceFunction) -> cloudwatch.IMetric:
    """Return how many execution environments served invocations at once."""
    return function.metric("ConcurrentExecutions", statistic="Maximum")


def ratio(function: ServiceFunction) -> cloudwatch.IMetric:
    """Return how many connections were opened for an invocation."""
    opened, invocations = f"opened{function.node.id}", f"invocations{function.node.id}"
    return cloudwatch.MathExpression(
        label=function.function_name,
        expression=f"FILL({opened}, 0) / {invocations}",
        using_metrics={
            opened: function.count("ConnectionsOpened"),
            invocations: function.metric_invocations(),
        },
    )
