"""Production shows it too: connections and refused logins are metrics, as many as the server saw.

Connections are counted under the name that the alarm watches.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Baker
from tests.lab.cluster import DATABASE
from tests.lab.conftest import Deployer
from tests.lab.deployed import request
from tests.lab.fault_proxy import FaultProxy
from tests.lab.leaks import Canaries
from tests.lab.secrets_manager import SecretsManager
from tests.support.effects import effects
from tests.support.execution_environment import ExecutionEnvironment, json_records
from tests.support.mongod import Mongod
from tests.support.templates import first_deploy

pytestmark = pytest.mark.slow

ANSWERS = {"layout": "multi-lambda", "auth": "password"}
INVOCATIONS = 100
RESETS = 3
ROTATIONS = 5
AUTHENTICATION_FAILED = (20249, 5286307)  # that message's number in mongod's log, until 6 and since


def test_the_metric_counts_connections_for_the_alarm(
    deployed: Deployer,
    baked: Baker,
    canaries: Canaries,
    tmp_path: Path,
    figure: Callable[[str], None],
) -> None:
    project = deployed(**ANSWERS)
    user = {"username": "service", "password": canaries.new("password")}
    functions = [it for it in project.functions if it.routes]
    metrics = []
    with Mongod(auth=True) as mongod, FaultProxy(mongod.port) as proxy, SecretsManager() as secrets:
        mongod.create_user(**user, database=DATABASE)
        variables = project.variables("cluster0.ab1cd.mongodb.net") | secrets.environment
        variables["MONGODB_URI"] = f"mongodb://127.0.0.1:{proxy.port}/"
        variables["MONGODB_SECRET_ARN"] = secrets.put(user)
        before = sign_ins(mongod)
        for function in functions:
            event = request(*function.routes)
            one = ExecutionEnvironment(
                project.code, function.handler, variables, function_name=function.name
            )
            with one:
                logs = one.init_logs
                for number in range(INVOCATIONS):
                    if number % (INVOCATIONS // RESETS) == 1:
                        proxy.reset()
                    invocation = one.invoke(event)
                    assert invocation.error is None, invocation.logs
                    logs += invocation.logs
            metrics += [(function, it) for it in json_records(logs) if "ConnectionsOpened" in it]
        opened = sign_ins(mongod) - before

    assert sum(it["ConnectionsOpened"][0] for _, it in metrics) == opened
    assert opened > RESETS * len(functions)
    figure(f"{opened} connections opened, {opened} counted")
    cdk = baked(**ANSWERS, iac="cdk")
    for planned in (first_deploy(project.project, tmp_path), first_deploy(cdk, tmp_path)):
        alarms = effects(planned)["AWS::CloudWatch::Alarm"]
        watched = [
            query["MetricStat"]["Metric"]
            for alarm in alarms.values()
            for query in alarm.get("Metrics", [])
            if query.get("Id") == "opened"
        ]
        known = [
            (
                it["Namespace"],
                it["MetricName"],
                {each["Name"]: each["Value"].strip("<>") for each in it["Dimensions"]},
            )
            for it in watched
        ]
        for _, metric in metrics:
            assert emitted(metric) in known


def sign_ins(mongod: Mongod) -> int:
    """How often somebody has signed in: once for each pooled connection; monitors never do."""
    mechanisms = mongod.admin.admin.command("serverStatus")["security"]["authentication"]
    signed_in: int = mechanisms["mechanisms"]["SCRAM-SHA-256"]["authenticate"]["successful"]
    return signed_in


def test_failed_logins_are_those_of_the_server_s_log(
    deployed: Deployer, canaries: Canaries, figure: Callable[[str], None]
) -> None:
    """While a password is rotated, forgotten in the secret, and its user dropped."""
    project = deployed(layout="multi", auth="password")
    user = {"username": "service", "password": canaries.new("password")}
    with Mongod(auth=True) as mongod, FaultProxy(mongod.port) as proxy, SecretsManager() as secrets:
        mongod.create_user(**user, database=DATABASE)
        variables = project.variables("cluster0.ab1cd.mongodb.net") | secrets.environment
        variables["MONGODB_URI"] = f"mongodb://127.0.0.1:{proxy.port}/"
        variables["MONGODB_SECRET_ARN"] = arn = secrets.put(user)
        [function] = project.functions
        environment = ExecutionEnvironment(
            project.code, function.handler, variables, function_name=function.name
        )
        with environment as one:
            logs = one.init_logs

            def invoke(times: int) -> list[int]:
                """Invoke it with its connection lost, and so many times; return the statuses."""
                nonlocal logs
                proxy.reset()
                invocations = [one.invoke(request("GET /items")) for _ in range(times)]
                logs += "".join(it.logs for it in invocations)
                assert failed_logins(json_records(logs)) == refusals(mongod)
                return [it.response["statusCode"] for it in invocations]

            assert invoke(2) == [200, 200]
            assert refusals(mongod) == 0
            for _ in range(ROTATIONS):
                user["password"] = canaries.new("password")
                mongod.set_password(**user)
                secrets.put(user, arn)
                before = refusals(mongod)
                assert invoke(3)[1:] == [200, 200], "the secret is read again"
                assert 1 <= refusals(mongod) - before <= 2
            forgotten = canaries.new("password")
            mongod.set_password("service", forgotten)
            assert invoke(3) == [503, 503, 503]
            mongod.admin.admin.command("dropUser", "service")
            assert invoke(3) == [503, 503, 503]
            secrets.put(user, arn)
            mongod.create_user(**user, database=DATABASE)
            assert invoke(3)[1:] == [200, 200]
            refused = refusals(mongod)

    figure(f"{refused} logins refused, {failed_logins(json_records(logs))} counted")


def refusals(mongod: Mongod) -> int:
    """On how many connections the server's log says that it refused a login.

    Of an unknown user it says so twice, of what came with the greeting and of a second mechanism.
    """
    lines = map(json.loads, mongod.admin.admin.command("getLog", "global")["log"])
    return len({line["ctx"] for line in lines if line["id"] in AUTHENTICATION_FAILED})


def failed_logins(records: Iterable[dict[str, Any]]) -> int:
    """How many the function's log counts."""
    return sum(int(it["FailedLogins"][0]) for it in records if "FailedLogins" in it)


def emitted(record: dict[str, Any]) -> tuple[str, str, dict[str, str]]:
    """Namespace, name and dimensions under which CloudWatch files a line of the log (EMF)."""
    [directive] = record["_aws"]["CloudWatchMetrics"]
    [metric] = directive["Metrics"]
    [names] = directive["Dimensions"]
    return directive["Namespace"], metric["Name"], {name: record[name] for name in names}
