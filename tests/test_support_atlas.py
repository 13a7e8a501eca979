"""The Atlas stand-in lets in whom Atlas would let in, and nobody else."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import bson
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from tests.support.atlas import Atlas
from tests.support.execution_environment import ExecutionEnvironment

pytestmark = pytest.mark.slow

ORDERS = "arn:aws:iam::123456789012:role/orders"
KEY, SECRET, TOKEN = "ASIAORDERS", "orders-secret", "orders-token"
Client = MongoClient[dict[str, Any]]


@pytest.fixture(scope="module")
def atlas() -> Iterator[Atlas]:
    """A cluster with one role and one user, and a role that AWS knows and Atlas doesn't."""
    with Atlas() as atlas:
        atlas.add_role(ORDERS, KEY, SECRET, TOKEN, "orders")
        atlas.add_user("alice", "first", "orders")
        atlas.sts.add_session(ORDERS.replace("orders", "other"), "ASIAOTHER", SECRET, TOKEN)
        a_second_ago = datetime.now(UTC) - timedelta(seconds=1)
        atlas.sts.add_session(ORDERS, "ASIAEXPIRED", SECRET, TOKEN, expires=a_second_ago)
        yield atlas


def connect(atlas: Atlas, **options: Any) -> Client:
    """A client of this process, without the cluster's names: directly to its only node."""
    return MongoClient(
        "127.0.0.1",
        atlas.port,
        tls=True,
        tlsCAFile=atlas.environment["SSL_CERT_FILE"],
        directConnection=True,
        maxPoolSize=1,
        serverSelectionTimeoutMS=10_000,
        **options,
    )


def as_role(atlas: Atlas, key: str, secret: str, token: str | None, **options: Any) -> Client:
    """A client that logs in as the driver does with these credentials."""
    properties = {"authMechanismProperties": f"AWS_SESSION_TOKEN:{token}"} if token else {}
    return connect(
        atlas,
        username=key,
        password=secret,
        authMechanism="MONGODB-AWS",
        **properties,
        **options,
    )


def as_user(atlas: Atlas, username: str, password: str) -> Client:
    return connect(atlas, username=username, password=password)


def refusal(client: Client) -> dict[str, Any]:
    """The error document that the server answers a login with."""
    with client, pytest.raises(OperationFailure) as caught:
        client.orders.items.find_one()
    return dict(caught.value.details or {})


def test_role_gets_into_its_own_database_only(atlas: Atlas) -> None:
    with as_role(atlas, KEY, SECRET, TOKEN) as client:
        inserted = client.orders.items.insert_one({"n": 1}).inserted_id
        assert client.orders.items.find_one(inserted) == {"_id": inserted, "n": 1}
        with pytest.raises(OperationFailure, match="not authorized on payments"):
            client.payments.items.find_one()


def test_role_may_have_several_sessions(atlas: Atlas) -> None:
    atlas.add_role(ORDERS, "ASIAORDERS2", "another-secret", "another-token", "orders")
    for credentials in [(KEY, SECRET, TOKEN), ("ASIAORDERS2", "another-secret", "another-token")]:
        with as_role(atlas, *credentials) as client:
            assert client.orders.items.insert_one({}).acknowledged


@pytest.mark.parametrize(
    ("credentials", "reason"),
    [
        pytest.param((KEY, "guess", TOKEN), "wrong signature", id="wrong-secret"),
        pytest.param((KEY, SECRET, "guess"), "wrong session token", id="wrong-token"),
        pytest.param((KEY, SECRET, None), "wrong session token", id="no-token"),
        pytest.param(("ASIANOBODY", SECRET, TOKEN), "unknown access key", id="unknown-key"),
        pytest.param(("ASIAEXPIRED", SECRET, TOKEN), "expired session", id="expired-session"),
        pytest.param(
            ("ASIAOTHER", SECRET, TOKEN),
            "user arn:aws:iam::123456789012:role/other is not found",
            id="other-role",
        ),
    ],
)
def test_other_credentials_are_refused(
    atlas: Atlas, credentials: tuple[str, str, str | None], reason: str
) -> None:
    error = refusal(as_role(atlas, *credentials))
    assert (error["code"], error["codeName"]) == (18, "AuthenticationFailed")
    assert atlas.refusals[-1] == reason


@dataclass(frozen=True)
class Signer:
    """botocore's signature under the request a driver signs, or under a slightly wrong one."""

    headers: dict[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    host: str = "sts.amazonaws.com"
    region: str = "us-east-1"
    age: timedelta = timedelta()

    def sign(self, nonce: bytes) -> dict[str, str]:
        """The payload of the second message."""
        body = "Action=GetCallerIdentity&Version=2011-06-15"
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Content-Length": str(len(body)),
            "Host": self.host,
            "X-MongoDB-Server-Nonce": base64.b64encode(nonce).decode(),
            "X-MongoDB-GS2-CB-Flag": "n",
            **self.headers,
        }
        for name in self.without:
            del headers[name]
        request = AWSRequest("POST", f"https://{self.host}/", headers=headers, data=body)
        signer = SigV4Auth(Credentials(KEY, SECRET, TOKEN), "sts", self.region)
        request.context["timestamp"] = date = f"{datetime.now(UTC) - self.age:%Y%m%dT%H%M%SZ}"
        request.headers["X-Amz-Date"] = date
        request.headers["X-Amz-Security-Token"] = TOKEN
        signature = signer.signature(
            signer.string_to_sign(request, signer.canonical_request(request)), request
        )
        signed = signer.signed_headers(signer.headers_to_sign(request))
        authorization = (
            f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, "
            f"SignedHeaders={signed}, Signature={signature}"
        )
        return {"a": authorization, "d": date, "t": TOKEN}


def converse(client: Client, sign: Callable[[bytes], dict[str, str]]) -> dict[str, Any]:
    """MONGODB-AWS by hand, over the client's only connection."""
    external = client.get_database("$external")
    client_nonce = os.urandom(32)
    first = bson.encode({"r": client_nonce, "p": ord("n")})
    reply = external.command("saslStart", 1, mechanism="MONGODB-AWS", payload=first)
    challenge = bson.decode(reply["payload"])
    assert challenge["h"] == "sts.amazonaws.com"
    assert len(challenge["s"]) == 64
    assert challenge["s"].startswith(client_nonce)
    second = bson.encode(sign(challenge["s"]))
    return external.command(
        "saslContinue", 1, conversationId=reply["conversationId"], payload=second
    )


def test_conversation_by_hand_logs_the_connection_in(atlas: Atlas) -> None:
    """The control of the next test: nothing is wrong with what it leaves alone."""
    with connect(atlas) as client:
        assert converse(client, Signer().sign)["done"]
        assert client.orders.items.insert_one({}).acknowledged


@pytest.mark.parametrize(
    ("signer", "reason"),
    [
        pytest.param(Signer(age=timedelta(minutes=6)), "stale signature", id="too-old"),
        pytest.param(Signer(age=timedelta(minutes=-6)), "stale signature", id="ahead-of-time"),
        pytest.param(
            Signer(headers={"X-MongoDB-Server-Nonce": "AAAA"}), "wrong signature", id="other-nonce"
        ),
        pytest.param(
            Signer(without=("X-MongoDB-Server-Nonce",)), "wrong signed headers", id="no-nonce"
        ),
        pytest.param(
            Signer(without=("X-MongoDB-GS2-CB-Flag",)), "wrong signed headers", id="no-flag"
        ),
        pytest.param(
            Signer(headers={"X-MongoDB-GS2-CB-Flag": "p"}), "wrong signature", id="other-flag"
        ),
        pytest.param(Signer(headers={"X-Extra": "1"}), "wrong signed headers", id="extra-header"),
        pytest.param(Signer(host="sts.example.com"), "wrong signature", id="other-host"),
        pytest.param(Signer(region="eu-west-1"), "wrong region", id="other-region"),
    ],
)
def test_tampered_request_is_refused(atlas: Atlas, signer: Signer, reason: str) -> None:
    with connect(atlas) as client:
        with pytest.raises(OperationFailure) as caught:
            converse(client, signer.sign)
        assert caught.value.code == 18
        assert atlas.refusals[-1].startswith(reason)
        with pytest.raises(OperationFailure) as caught:
            client.orders.items.find_one()
        assert caught.value.code == 13, "the connection has no user"


def test_signature_is_good_for_its_own_conversation_only(atlas: Atlas) -> None:
    """What one connection has sent lets no other in: each is challenged by a nonce of its own."""
    sent = []

    def sign_and_keep(nonce: bytes) -> dict[str, str]:
        sent.append(Signer().sign(nonce))
        return sent[0]

    with connect(atlas) as client, connect(atlas) as eavesdropper:
        assert converse(client, sign_and_keep)["done"]
        with pytest.raises(OperationFailure):
            converse(eavesdropper, lambda _: sent[0])
        assert atlas.refusals[-1] == "wrong signature"


def test_password_users_pass_through(atlas: Atlas) -> None:
    with as_user(atlas, "alice", "first") as client:
        assert client.orders.items.insert_one({}).acknowledged
        with pytest.raises(OperationFailure, match="not authorized on payments"):
            client.payments.items.find_one()


def test_changed_password_is_asked_of_new_connections_only(atlas: Atlas) -> None:
    atlas.add_user("bob", "old", "orders")
    with as_user(atlas, "bob", "old") as before:
        before.orders.items.find_one()
        atlas.set_password("bob", "new")
        before.orders.items.find_one()
        assert refusal(as_user(atlas, "bob", "old"))["code"] == 18
        with as_user(atlas, "bob", "new") as after:
            after.orders.items.find_one()


def test_shared_tiers_have_errors_of_their_own() -> None:
    """Code 8000, and a reason; the product has to treat both alike."""
    with Atlas(tier="shared") as atlas:
        atlas.add_role(ORDERS, KEY, SECRET, TOKEN, "orders")
        atlas.add_user("alice", "first", "orders")
        for client, message in [
            (as_role(atlas, KEY, "guess", TOKEN), "bad auth : aws sts call has response 403"),
            (as_user(atlas, "alice", "no"), "bad auth : authentication failed"),
        ]:
            error = refusal(client)
            assert (error["code"], error["codeName"]) == (8000, "AtlasError")
            assert error["errmsg"] == message
        for client in (
            as_role(atlas, KEY, SECRET, TOKEN),
            as_user(atlas, "alice", "first"),
        ):
            with client:
                client.orders.items.find_one()


@pytest.mark.parametrize(
    "session",
    [
        pytest.param((ORDERS, "ASIANEW", "s", ""), id="no-token"),
        pytest.param((ORDERS.replace("role/", "role/team/"), "ASIANEW", "s", "t"), id="path"),
        pytest.param((ORDERS.replace("orders", "more"), KEY, "s", "t"), id="key-of-another-role"),
    ],
)
def test_session_that_aws_would_not_give_is_an_error(
    atlas: Atlas, session: tuple[str, str, str, str]
) -> None:
    with pytest.raises(ValueError, match=r"role|session token"):
        atlas.sts.add_session(*session)


FUNCTION = """
import os
import re
from pymongo import MongoClient

client = MongoClient(os.environ["MONGODB_URI"], appname="orders-function", maxPoolSize=1)

def handler(event, context):
    inserted = client.orders.items.insert_one(event).inserted_id
    [server] = client.topology_description.server_descriptions().values()
    return {
        "found": client.orders.items.find_one(inserted)["n"],
        "address": list(server.address),
        "type": server.server_type_name,
        "set": server.replica_set_name,
    }
"""


def test_function_gets_in_by_the_clusters_names_as_its_role(atlas: Atlas, tmp_path: Path) -> None:
    """SRV, TXT, TLS, IAM and discovery as deployed: the URI is the template's, credentials are
    where Lambda puts them, and all that is special is the environment of the process."""
    (tmp_path / "app.py").write_text(FUNCTION)
    uri = f"mongodb+srv://{atlas.host}/?authMechanism=MONGODB-AWS&authSource=%24external"
    credentials = {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_SESSION_TOKEN": TOKEN,
    }
    variables = {"MONGODB_URI": f"{uri}&retryWrites=true&w=majority", **credentials}
    with ExecutionEnvironment(
        tmp_path, "app.handler", {**variables, **atlas.environment}
    ) as environment:
        first = environment.invoke({"n": 1})
        assert first.response == {
            "found": 1,
            "address": ["cluster0-shard-00-00.ab1cd.mongodb.net", atlas.port],
            "type": "RSPrimary",
            "set": "atlas-ab1cd-shard-0",
        }
        warm = atlas.mongod.connections_created()
        assert [environment.invoke({"n": n}).error for n in range(100)] == [None] * 100
        assert atlas.mongod.connections_created() == warm
        users = {client.user for client in atlas.mongod.clients("orders-function")}
        assert users == {None, ORDERS}


CLIENT_OF_ALICE = """
import sys
from pymongo import MongoClient

host, timeout = sys.argv[1:]
uri = f"mongodb+srv://{host}/?retryWrites=true&w=majority"
try:
    client = MongoClient(
        uri, username="alice", password="first", serverSelectionTimeoutMS=int(timeout)
    )
    with client.start_session() as session, session.start_transaction():
        client.orders.items.insert_one({}, session=session)
except Exception as error:
    print(type(error).__name__, error)
else:
    print("ok")
"""


@pytest.mark.parametrize(
    ("host", "left_out", "outcome"),
    [
        pytest.param("cluster0.ab1cd.mongodb.net", None, "ok", id="as-deployed"),
        pytest.param(
            "cluster0.ab1cd.mongodb.net",
            "SSL_CERT_FILE",
            "ServerSelectionTimeoutError .*CERTIFICATE_VERIFY_FAILED",
            id="unknown-authority",
        ),
        pytest.param(
            "cluster1.ab1cd.mongodb.net",
            None,
            "ConfigurationError .*does not exist",
            id="no-such-cluster",
        ),
    ],
)
def test_names_and_certificates_are_checked(
    atlas: Atlas, host: str, left_out: str | None, outcome: str
) -> None:
    environment = {key: value for key, value in atlas.environment.items() if key != left_out}
    timeout = "10000" if outcome == "ok" else "1000"
    output = run_python(CLIENT_OF_ALICE, host, timeout, environment=environment)
    assert re.match(outcome, output), output


def test_process_in_that_network_is_an_ordinary_process_otherwise(atlas: Atlas) -> None:
    """Starting up imports nothing more; other names resolve as ever, also without dnspython."""
    loaded = "import sys; print(*sys.modules)"
    outside, inside = (
        set(run_python(loaded, environment=environment).split())
        for environment in ({}, atlas.environment)
    )
    assert inside - outside == {"sitecustomize", "__future__"}
    lookups = """
import sys
sys.modules["dns"] = None
import socket
print([socket.getaddrinfo(name, 80, socket.AF_INET)[0][4] for name in sys.argv[1:]])
"""
    output = run_python(lookups, "localhost", "127.0.0.2", environment=atlas.environment)
    assert output == "[('127.0.0.1', 80), ('127.0.0.2', 80)]\n"


def test_addresses_are_the_name_servers(atlas: Atlas) -> None:
    lookups = """
import socket, sys
for name in sys.argv[1:]:
    try:
        print(socket.getaddrinfo(name, 80, socket.AF_INET)[0][4])
    except socket.gaierror as error:
        print(error.strerror)
"""
    names = ["CLUSTER0-shard-00-00.ab1cd.mongodb.net.", "cluster1.ab1cd.mongodb.net"]
    output = run_python(lookups, *names, environment=atlas.environment)
    assert output == "('127.0.0.1', 80)\nName or service not known\n"


def run_python(source: str, *arguments: str, environment: dict[str, str]) -> str:
    command = [sys.executable, "-c", source, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout
