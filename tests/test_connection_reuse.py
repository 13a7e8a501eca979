"""The promise: warm invocations open no connection, through the real runtime client and SRV, TLS
and authentication as on Atlas.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pytest

from tests.lab.deployed import request, served
from tests.support.atlas import Atlas
from tests.support.baking import bake, combinations
from tests.support.cloudformation import unroll
from tests.support.execution_environment import ExecutionEnvironment, Invocation
from tests.support.here import HERE, build
from tests.support.local_aws import LocalAws

pytestmark = pytest.mark.slow

INVOCATIONS = 1_000
DATABASE = "app"


@pytest.mark.parametrize("answers", combinations("layout", "auth"))
def test_a_thousand_warm_invocations_open_no_connection(
    answers: dict[str, str],
    atlas: Atlas,
    aws: LocalAws,
    tmp_path: Path,
    figure: Callable[[str], None],
) -> None:
    project = bake(tmp_path, **answers, **HERE)
    code = tmp_path / "code"
    build(project, code)
    template = unroll(project.parse("template.yaml"))
    environment = atlas.environment | variables(template, atlas, aws)
    environment |= credentials(atlas) if answers["auth"] == "iam" else administrator(aws)

    with ExitStack() as stack:
        events = []
        for handler, requests in functions(template):
            one = ExecutionEnvironment(code, handler, environment, function_name=handler)
            stack.enter_context(one)
            events += [(one, request) for request in requests]
        for one, event in events:  # the first invocations
            check(one.invoke(event))
        before = atlas.mongod.connections_created()
        for one, event in islice(cycle(events), INVOCATIONS):
            check(one.invoke(event))
        opened = atlas.mongod.connections_created() - before

    figure(f"{INVOCATIONS:,} warm invocations opened {opened} connections")
    assert opened == 0


def variables(template: dict[str, Any], atlas: Atlas, aws: LocalAws) -> dict[str, str]:
    """Resolve the functions' environment variables, as the stack would."""
    variables: dict[str, Any] = template["Globals"]["Function"]["Environment"]["Variables"]
    variables["MONGODB_URI"] = variables["MONGODB_URI"]["Fn::Sub"].replace(
        "${ClusterHost}", atlas.host
    )
    del variables["MONGODB_OPTIONS"]  # which isn't there without ConnectionOptions
    if "MONGODB_SECRET_ARN" in variables:
        username, password = f"user-{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
        atlas.add_user(username, password, variables["MONGODB_DATABASE"])
        secret = aws.client("secretsmanager").create_secret(
            Name=username, SecretString=json.dumps({"username": username, "password": password})
        )
        variables["MONGODB_SECRET_ARN"] = secret["ARN"]
    return variables


def credentials(atlas: Atlas) -> dict[str, str]:
    """Return the session credentials of an execution role that is a database user."""
    key, secret, token = (uuid.uuid4().hex for _ in range(3))
    role = f"arn:aws:iam::123456789012:role/{key}"
    atlas.add_role(role, key, secret, token, DATABASE)
    return {
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_SESSION_TOKEN": token,
    }


def administrator(aws: LocalAws) -> dict[str, str]:
    """Return the environment of who may read any secret: a user, so without a session."""
    return aws.environment | {"AWS_SESSION_TOKEN": ""}


def functions(template: dict[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the handler of each function that has routes, with a request for each route."""
    for resource in template["Resources"].values():
        if resource["Type"] != "AWS::Serverless::Function":
            continue
        properties = resource["Properties"]
        routes = [event["Properties"] for event in properties.get("Events", {}).values()]
        names = served([f"{route['Method']} {route['Path']}" for route in routes])
        requests = [request(name) for name in names]
        if requests:
            yield properties["Handler"], requests


def check(invocation: Invocation) -> None:
    """The handler answered, from the database: 404 for an item that isn't there."""
    assert invocation.error is None, invocation.logs
    assert invocation.response["statusCode"] in (200, 201, 404), invocation.response
