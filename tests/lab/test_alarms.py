"""Alarms ring when they should and stay silent when they shouldn't, by SAM and by the CDK.

Both could be wrong alike, so each alarm is evaluated as CloudWatch would: on what bad and ordinary
days look like, and on what deployed functions report while MongoDB is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import Baker
from tests.lab.alarms import MINUTE, Sample, alarms_of, embedded, samples_of
from tests.lab.cluster import Cluster
from tests.lab.conftest import Deployer
from tests.lab.deployed import request
from tests.lab.leaks import Canaries, WatchedEnvironment
from tests.support.baking import OPTIONS
from tests.support.cloudformation import Template, plan
from tests.support.execution_environment import json_records
from tests.support.parameters import required
from tests.support.templates import cdk_template, sam_template

pytestmark = pytest.mark.slow

LAYOUT = "multi-lambda"  # has several functions
ATLAS = ("public", "cli")  # network and atlas_setup, which are nothing to the alarms

TemplateOf = Callable[..., Template]


@pytest.fixture(scope="module")
def template_of(baked: Baker, tmp_path_factory: pytest.TempPathFactory) -> TemplateOf:
    """`template_of(iac, layout)`: what CloudFormation makes the stack of."""
    templates: dict[tuple[str, str, str], Template] = {}

    def get(iac: str, layout: str, topic: str = "") -> Template:
        if (iac, layout, topic) not in templates:
            network, atlas_setup = ATLAS
            project = baked(layout=layout, iac=iac, network=network, atlas_setup=atlas_setup)
            folder = tmp_path_factory.mktemp("cdk.out")
            templates[iac, layout, topic] = (
                sam_template(project)
                if iac == "sam"
                else cdk_template(project, folder, AlarmTopicArn=topic)
            )
        return templates[iac, layout, topic]

    return get


@dataclass(frozen=True)
class Day:
    """What a function's metrics are every so many minutes. None is a time without data."""

    alarm: str  # a metric that it watches
    rings_by: int | None  # the minute in which it must ring at the latest; None if never
    every: int
    series: Mapping[str, Sequence[float | None]]


def errors(*numbers: int | None, by: int | None) -> Day:
    return Day("Errors", by, 5, {"Errors": numbers})


def throttles(*numbers: int | None, by: int | None) -> Day:
    return Day("Throttles", by, 5, {"Throttles": numbers})


def unavailable(*numbers: int | None, by: int | None) -> Day:
    return Day("Unavailable", by, 1, {"Unavailable": numbers})


def opened(*numbers: int | None, of: int, by: int | None) -> Day:
    """So many connections, each time in as many invocations."""
    invocations = [of] * len(numbers)
    return Day(
        "ConnectionsOpened", by, 5, {"ConnectionsOpened": numbers, "Invocations": invocations}
    )


PAUSE = [None] * 4

DAYS = {
    "one error": errors(0, 1, 0, by=10),
    "no error": errors(0, 0, 0, by=None),
    "no invocation, so no errors": errors(None, None, 0, by=None),
    "one throttle": throttles(0, 1, 0, by=10),
    "no throttle": throttles(0, 0, 0, by=None),
    "no invocation, so no throttles": throttles(None, None, 0, by=None),
    "outage, a request a minute": unavailable(1, 1, 1, by=3),
    "outage, a request in five minutes": unavailable(1, *PAUSE, 1, *PAUSE, 1, by=11),
    "outage, many requests": unavailable(900, 950, 910, by=3),
    "failover": unavailable(None, 40, 25, *[None] * 20, by=None),
    "two failovers": unavailable(9, 9, *[None] * 13, 9, 9, by=None),
    "a client for each invocation": opened(100, 100, 100, of=100, by=15),
    "a client for most invocations": opened(510, 510, 510, of=1000, by=15),
    "a client for some invocations": opened(*[490] * 9, of=1000, by=None),
    "reuse": opened(*[None, 2] * 4, of=3000, by=None),
    "cold starts only": opened(*[99] * 9, of=99, by=None),
    "a deploy": opened(1, 95, 90, 1, 1, of=100, by=None),
    "no invocation, so no connections": opened(None, None, None, of=0, by=None),
}


@pytest.mark.parametrize("name", DAYS)
@pytest.mark.parametrize("iac", OPTIONS["iac"])
def test_alarms_on(iac: str, name: str, template_of: TemplateOf) -> None:
    day = DAYS[name]
    alarms = [it for it in alarms_of(template_of(iac, LAYOUT)) if day.alarm in it.watches]
    functions = {it.function for it in alarms}
    assert len(functions) == len(alarms) > 1, "one for each function"
    for alarm in alarms:
        metrics = {metric[1]: metric for metric in alarm.metrics.values()}
        samples = [
            Sample(metrics[name], number * day.every * MINUTE, part)
            for name, values in day.series.items()
            for number, value in enumerate(values)
            if value is not None
            for part in (value - value // 2, value // 2)  # of two environments
        ]
        minutes = [(number + 1) * alarm.period / MINUTE for number in alarm.rings(samples)]
        if day.rings_by is None:
            assert not minutes
        else:
            assert minutes
            assert minutes[0] <= day.rings_by
        for other in alarms:
            if other is not alarm:
                assert not other.rings(samples), "that of another function"


@pytest.mark.parametrize("iac", OPTIONS["iac"])
def test_alarms_notify_the_topic_if_there_is_one(iac: str, template_of: TemplateOf) -> None:
    topic = "arn:aws:sns:us-east-1:123456789012:on-call"

    def alarms(topic: str) -> dict[str, Any]:
        template = template_of(iac, LAYOUT, topic)
        given = required(*ATLAS) | {"AlarmTopicArn": topic} if iac == "sam" else {}
        return plan(template, **given).of("AWS::CloudWatch::Alarm")

    told, quiet = alarms(topic), alarms("")

    assert len(told) == len(alarms_of(template_of(iac, LAYOUT)))
    assert all(it["AlarmActions"] == [topic] for it in told.values())
    assert not any(it.get("AlarmActions") for it in quiet.values())
    assert all(it.get("ActionsEnabled", True) for it in told.values())


class Watched:
    """A deployed function, a request a minute, and what CloudWatch gets of it."""

    def __init__(self, environment: WatchedEnvironment, function: str) -> None:
        self._environment = environment
        self._function = function
        self._minute = 0
        self.samples: list[Sample] = []
        self.statuses: list[int] = []

    def cold_start(self) -> None:
        self._environment.start()
        records = json_records(self._environment.init_logs)
        self.samples += embedded(records, self._minute * MINUTE)

    def request(self, minutes: int) -> None:
        for _ in range(minutes):
            invocation = self._environment.invoke(request("GET /items"))
            at = self._minute * MINUTE
            self.samples += samples_of(invocation, self._function, at)
            self.statuses.append(invocation.response["statusCode"])
            self._minute += 1

    def ringing(self, template: Template) -> dict[str, list[int]]:
        """The periods in which each alarm rings, by the metrics that it watches."""
        alarms = alarms_of(template, self._function)
        return {" and ".join(sorted(it.watches)): it.rings(self.samples) for it in alarms}


@pytest.fixture
def watched(small_cluster: Cluster, deployed: Deployer, canaries: Canaries) -> Iterable[Watched]:
    """The one function of a service, which responds within a second if it must."""
    project = deployed(layout="multi", auth="iam")
    [function] = project.functions
    variables = project.variables(small_cluster.atlas.host) | small_cluster.environment
    environment = WatchedEnvironment(
        project.code,
        function.handler,
        variables | small_cluster.sign_in("iam"),
        canaries=canaries,
        hosts=small_cluster.hosts,
        function_name=function.name,
        timeout=2.0,
    )
    try:
        yield Watched(environment, function.name)
    finally:
        environment.stop()
        small_cluster.heal()


def test_an_outage_rings(
    watched: Watched,
    small_cluster: Cluster,
    template_of: TemplateOf,
    figure: Callable[[str], None],
) -> None:
    watched.cold_start()
    watched.request(minutes=3)
    small_cluster.primary.stop()
    watched.request(minutes=5)
    small_cluster.heal()
    watched.request(minutes=20)

    assert watched.statuses == [200] * 3 + [503] * 5 + [200] * 20
    for iac in OPTIONS["iac"]:
        ringing = watched.ringing(template_of(iac, "multi"))
        minutes = ringing.pop("Unavailable")
        assert minutes[0] == 5, "in the third minute of the outage"
        assert minutes == list(range(minutes[0], minutes[-1] + 1))
        assert minutes[-1] < 27, "not for ever"
        assert not any(ringing.values()), "no other alarm notices"
        figure(f"{iac}: out from minute 3 to 7, alarm from minute {minutes[0]} to {minutes[-1]}")


def test_an_ordinary_day_does_not(
    watched: Watched, small_cluster: Cluster, template_of: TemplateOf
) -> None:
    """Cold starts, and a primary that is gone for less than a minute."""
    watched.cold_start()
    watched.request(minutes=10)
    small_cluster.primary.stop()
    watched.request(minutes=1)
    small_cluster.heal()
    watched.request(minutes=10)
    watched.cold_start()
    watched.request(minutes=10)

    assert watched.statuses.count(503) == 1
    for iac in OPTIONS["iac"]:
        ringing = watched.ringing(template_of(iac, "multi"))
        assert len(ringing) == 4
        assert not any(ringing.values())
