"""Who may connect by each way to sign in, as callers and readers of the log see it.

`tests/test_support_atlas.py` shows that the stand-in refuses as Atlas does. Here the service meets
those refusals.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from tests.lab.cluster import DATABASE, Auth, Cluster, Variables
from tests.lab.conftest import Deployer
from tests.lab.deployed import request
from tests.lab.leaks import Canaries, WatchedEnvironment
from tests.support.atlas import Tier
from tests.support.execution_environment import Invocation

pytestmark = pytest.mark.slow

TIERS: tuple[Tier, ...] = ("dedicated", "shared")
CODES = {"dedicated": 18, "shared": 8000}
REFUSED = {
    "iam": "MongoDB refuses the execution role: is its ARN a database user in Atlas?",
    "password": "MongoDB refuses the password in the secret: is it the database user's?",
}
# What the metric has of an invocation: with a password it tries again, with what it has read anew.
DENIED = "MongoDB denies the operation: does the user have readWrite on MONGODB_DATABASE?"
NO_SPACE = "The cluster takes no more data: is its storage full?"
ROLES = "arn:aws:iam::123456789012:role"

# What a function has instead of credentials that are right, given those.
Spoil = Callable[[Cluster, Variables, Canaries], Variables]


@dataclass(frozen=True)
class Intruder:
    """Who must not connect, and why, in the words of the stand-in (clients aren't told)."""

    spoil: Spoil
    reason: str = ""


def wrong_key(_: Cluster, __: Variables, canaries: Canaries) -> Variables:
    return {"AWS_SECRET_ACCESS_KEY": canaries.new("secret key")}


def wrong_token(_: Cluster, __: Variables, canaries: Canaries) -> Variables:
    return {"AWS_SESSION_TOKEN": canaries.new("session token")}


def no_token(_: Cluster, __: Variables, ___: Canaries) -> Variables:
    return {"AWS_SESSION_TOKEN": ""}


def expired_token(cluster: Cluster, good: Variables, _: Canaries) -> Variables:
    past = datetime.now(UTC) - timedelta(seconds=1)
    role = f"{ROLES}/{good['AWS_ACCESS_KEY_ID']}"
    return session(cluster, role, good, past)


def other_role(cluster: Cluster, good: Variables, _: Canaries) -> Variables:
    return session(cluster, f"{ROLES}/other", good)


def session(
    cluster: Cluster, role: str, good: Variables, expires: datetime | None = None
) -> Variables:
    """Have a role assumed, and return the access key; the rest is as it was."""
    key = uuid.uuid4().hex
    secret, token = good["AWS_SECRET_ACCESS_KEY"], good["AWS_SESSION_TOKEN"]
    cluster.atlas.sts.add_session(role, key, secret, token, expires)
    return {"AWS_ACCESS_KEY_ID": key}


def tampered(name: str, value: str | None) -> Spoil:
    """Have another header signed than MongoDB asks for."""
    return lambda *_: {"LAB_HEADERS": json.dumps({name: value})}


def wrong_password(cluster: Cluster, good: Variables, canaries: Canaries) -> Variables:
    return secret(cluster, cluster.username(good), canaries)


def unknown_user(cluster: Cluster, _: Variables, canaries: Canaries) -> Variables:
    return secret(cluster, "nobody", canaries)


def secret(cluster: Cluster, username: str, canaries: Canaries) -> Variables:
    password = canaries.new("password")
    return {"MONGODB_SECRET_ARN": cluster.secrets.put({"username": username, "password": password})}


INTRUDERS: dict[Auth, dict[str, Intruder]] = {
    "iam": {
        "wrong key": Intruder(wrong_key, "wrong signature"),
        "wrong token": Intruder(wrong_token, "wrong session token"),
        "no token": Intruder(no_token, "wrong session token"),
        "expired token": Intruder(expired_token, "expired session"),
        "other role": Intruder(other_role, f"user {ROLES}/other is not found"),
        "other nonce": Intruder(tampered("X-MongoDB-Server-Nonce", "AAAA"), "wrong signature"),
        "no nonce": Intruder(tampered("X-MongoDB-Server-Nonce", None), "wrong signed headers"),
        "other flag": Intruder(tampered("X-MongoDB-GS2-CB-Flag", "p"), "wrong signature"),
        "other host": Intruder(tampered("Host", "sts.example.com"), "wrong signature"),
        "extra header": Intruder(tampered("X-Extra", "1"), "wrong signed headers"),
    },
    "password": {
        "wrong password": Intruder(wrong_password),
        "unknown user": Intruder(unknown_user),
    },
}
BOTH_TIERS = ("wrong key", "other role", "wrong password")  # the others differ in nothing there


@pytest.fixture(scope="module")
def clusters(canaries: Canaries, small_cluster: Cluster) -> Iterator[dict[Tier, Cluster]]:
    """One of each tier."""
    with Cluster(canaries, tier="shared") as shared:
        yield {"dedicated": small_cluster, "shared": shared}


@pytest.fixture
def invoke(
    clusters: dict[Tier, Cluster], deployed: Deployer, canaries: Canaries
) -> Callable[..., Invocation]:
    """Invoke a new environment that has these variables."""

    def invoke(
        tier: Tier, auth: Auth, variables: Variables, route: str = "GET /items"
    ) -> Invocation:
        cluster, project = clusters[tier], deployed(layout="multi", auth=auth)
        tampers = "LAB_HEADERS" in variables
        with WatchedEnvironment(
            project.code,
            project.added("tampered.handler") if tampers else project.functions[0].handler,
            project.variables(cluster.atlas.host) | cluster.environment | variables,
            canaries=canaries,
            hosts=cluster.hosts,
        ) as environment:
            return environment.invoke(request(route))

    return invoke


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("auth", INTRUDERS)
def test_the_service_may_connect(
    tier: Tier, auth: Auth, clusters: dict[Tier, Cluster], invoke: Callable[..., Invocation]
) -> None:
    invocation = invoke(tier, auth, clusters[tier].sign_in(auth))
    assert invocation.error is None
    assert invocation.response["statusCode"] == 200


@pytest.mark.parametrize(
    ("tier", "auth", "name"),
    [
        pytest.param(tier, auth, name, id=f"{tier}-{auth}-{name}")
        for tier in TIERS
        for auth, intruders in INTRUDERS.items()
        for name in intruders
        if tier == "dedicated" or name in BOTH_TIERS
    ],
)
def test_others_stay_out(
    tier: Tier,
    auth: Auth,
    name: str,
    clusters: dict[Tier, Cluster],
    canaries: Canaries,
    invoke: Callable[..., Invocation],
) -> None:
    cluster, intruder = clusters[tier], INTRUDERS[auth][name]
    good = cluster.sign_in(auth)

    invocation = invoke(tier, auth, good | intruder.spoil(cluster, good, canaries))

    check(invocation, REFUSED[auth], CODES[tier])
    assert [it["FailedLogins"] for it in invocation.records if "FailedLogins" in it] == [[1.0]]
    if auth == "iam":
        assert cluster.atlas.refusals[-1].startswith(intruder.reason)


@pytest.mark.parametrize("auth", INTRUDERS)
def test_a_user_of_another_database_is_denied(
    auth: Auth, clusters: dict[Tier, Cluster], invoke: Callable[..., Invocation]
) -> None:
    cluster = clusters["dedicated"]
    good = cluster.sign_in(auth, database=f"not-{DATABASE}")
    check(invoke("dedicated", auth, good), DENIED, code=13)


def test_a_cluster_without_space_takes_no_data(
    clusters: dict[Tier, Cluster], invoke: Callable[..., Invocation]
) -> None:
    """As Atlas blocks writes when the disk is nearly full; reads go on."""
    cluster = clusters["dedicated"]
    good = cluster.sign_in("iam")
    admin = cluster.primary.admin.admin
    admin.command({"setUserWriteBlockMode": 1, "global": True})
    try:
        written = invoke("dedicated", "iam", good, "POST /items")
        read = invoke("dedicated", "iam", good)
    finally:
        admin.command({"setUserWriteBlockMode": 1, "global": False})
    check(written, NO_SPACE, code=371, error="WriteError")
    assert read.response["statusCode"] == 200


def check(invocation: Invocation, message: str, code: int, error: str = "OperationFailure") -> None:
    """The caller learns that the database is unavailable, and readers of the log, why."""
    assert invocation.error is None
    assert invocation.response["statusCode"] == 503
    body = json.loads(invocation.response["body"])
    assert body["message"] == "The database is unavailable. Try again."
    [record] = [it for it in invocation.records if it.get("level") == "ERROR"]
    assert (record["message"], record["error"]) == (message, error)
    assert record["code"] == code
