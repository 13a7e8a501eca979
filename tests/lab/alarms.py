"""CloudWatch alarms as the templates define them: which states they take on given metrics.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html and, for
expressions, using-metric-math.html beside it. Left out: what templates here don't use, and that
CloudWatch looks some periods further back for data where some is missing.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.cloudformation import Template
from tests.support.execution_environment import Invocation

MINUTE = 60

_STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "Sum": sum,
    "Average": lambda values: sum(values) / len(values),
    "Maximum": max,
    "Minimum": min,
    "SampleCount": len,
}
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
_OPERATORS: dict[type[ast.AST], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.GtE: operator.ge,
    ast.Gt: operator.gt,
    ast.LtE: operator.le,
    ast.Lt: operator.lt,
    ast.Eq: operator.eq,
}

Metric = tuple[str, str, frozenset[tuple[str, str]]]  # namespace, name, dimensions


@dataclass(frozen=True)
class Sample:
    """One value of a metric, at so many seconds."""

    metric: Metric
    at: float
    value: float


def sample(at: float, value: float, namespace: str, name: str, **dimensions: str) -> Sample:
    """One value of the metric with these dimensions."""
    return Sample((namespace, name, frozenset(dimensions.items())), at, value)


def samples_of(invocation: Invocation, function: str, at: float) -> Iterator[Sample]:
    """What CloudWatch gets of an invocation: Lambda's own metrics, and those in the log."""
    failed = invocation.error is not None
    yield sample(at, 1, "AWS/Lambda", "Invocations", FunctionName=function)
    yield sample(at, failed, "AWS/Lambda", "Errors", FunctionName=function)
    yield sample(at, 0, "AWS/Lambda", "Throttles", FunctionName=function)
    yield from embedded(invocation.records, at)


def embedded(records: Iterable[Mapping[str, Any]], at: float) -> Iterator[Sample]:
    """The metrics in lines of a log, in CloudWatch's embedded metric format (EMF)."""
    for record in records:
        for directive in record.get("_aws", {}).get("CloudWatchMetrics", ()):
            for names in directive["Dimensions"]:
                dimensions = {name: record[name] for name in names}
                for metric in directive["Metrics"]:
                    for value in record[metric["Name"]]:
                        yield sample(
                            at, value, directive["Namespace"], metric["Name"], **dimensions
                        )


class Alarm:
    """An `AWS::CloudWatch::Alarm` of a template, with the functions' names by logical id."""

    def __init__(self, properties: Mapping[str, Any], names: Mapping[str, str]) -> None:
        self._properties = properties
        self._names = names
        self.metrics: dict[str, Metric] = {}  # by id
        self._statistics: dict[str, str] = {}
        self._expressions: dict[str, str] = {}
        periods = set()
        queries = properties.get("Metrics") or [
            {
                "Id": "metric",
                "MetricStat": {
                    "Metric": properties,
                    "Stat": properties["Statistic"],
                    "Period": properties["Period"],
                },
            }
        ]
        for query in queries:
            if query.get("ReturnData", True):
                self._result = query["Id"]
            if "Expression" in query:
                self._expressions[query["Id"]] = query["Expression"]
                continue
            statistic = query["MetricStat"]
            self.metrics[query["Id"]] = self._metric(statistic["Metric"])
            self._statistics[query["Id"]] = statistic["Stat"]
            periods.add(int(statistic["Period"]))
        [self.period] = periods

    def _metric(self, metric: Mapping[str, Any]) -> Metric:
        dimensions = {
            it["Name"]: it["Value"] if isinstance(it["Value"], str) else self._name(it["Value"])
            for it in metric["Dimensions"]
        }
        return metric["Namespace"], metric["MetricName"], frozenset(dimensions.items())

    def _name(self, reference: Mapping[str, str]) -> str:
        return self._names[reference["Ref"]]

    @property
    def watches(self) -> set[str]:
        """The names of its metrics."""
        return {name for _, name, _ in self.metrics.values()}

    @property
    def function(self) -> str:
        """Name of the function that it is about."""
        [name] = {dict(dimensions)["FunctionName"] for _, _, dimensions in self.metrics.values()}
        return name

    def rings(self, samples: Iterable[Sample]) -> list[int]:
        """The numbers of the periods, up to that of the last sample, after which it is ALARM."""
        samples = list(samples)
        last = max((int(it.at // self.period) for it in samples), default=0)
        breaching = [self._breaches(self._value(samples, number)) for number in range(last + 1)]
        evaluated = int(self._properties["EvaluationPeriods"])
        needed = int(self._properties.get("DatapointsToAlarm", evaluated))
        return [
            number
            for number in range(last + 1)
            if sum(breaching[max(0, number + 1 - evaluated) : number + 1]) >= needed
        ]

    def _breaches(self, value: float | None) -> bool:
        if value is None:
            return {"notBreaching": False, "breaching": True}[self._properties["TreatMissingData"]]
        compare = _COMPARISONS[self._properties["ComparisonOperator"]]
        return compare(value, float(self._properties["Threshold"]))

    def _value(self, samples: list[Sample], number: int) -> float | None:
        """Of the metric or the expression in a period; None if there is none."""

        def of(id: str) -> float | None:  # noqa: A002
            if id in self._expressions:
                return _evaluate(ast.parse(self._expressions[id], mode="eval").body, of)
            values = [
                it.value
                for it in samples
                if it.metric == self.metrics[id] and it.at // self.period == number
            ]
            return _STATISTICS[self._statistics[id]](values) if values else None

        return of(self._result)


def _evaluate(node: ast.AST, of: Callable[[str], float | None]) -> float | None:
    """Evaluate metric math, which looks like Python, for one period. None is a missing value."""
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name):
            return of(name)
        case ast.Call(func=ast.Name(id="IF"), args=[condition, yes, no]):
            holds = _evaluate(condition, of)
            return None if holds is None else _evaluate(yes if holds else no, of)
        case ast.Call(func=ast.Name(id="FILL"), args=[metric, substitute]):
            value = _evaluate(metric, of)
            return _evaluate(substitute, of) if value is None else value
        case ast.BinOp(left=left, op=sign, right=right):
            return _combine(sign, _evaluate(left, of), _evaluate(right, of))
        case ast.Compare(left=left, ops=[sign], comparators=[right]):
            return _combine(sign, _evaluate(left, of), _evaluate(right, of))
    raise ValueError(f"{ast.unparse(node)} isn't known here")


def _combine(sign: ast.AST, left: float | None, right: float | None) -> float | None:
    if left is None or right is None or (isinstance(sign, ast.Div) and right == 0):
        return None
    return _OPERATORS[type(sign)](left, right)


def alarms_of(template: Template, function: str | None = None) -> list[Alarm]:
    """The alarms of a template. Functions go by their logical ids, the only one by a given name."""
    resources = template["Resources"]
    ids = [name for name, it in resources.items() if it["Type"] == "AWS::Lambda::Function"]
    assert function is None or len(ids) == 1
    names = {name: function or name for name in ids}
    return [
        Alarm(it["Properties"], names)
        for it in resources.values()
        if it["Type"] == "AWS::CloudWatch::Alarm"
    ]
