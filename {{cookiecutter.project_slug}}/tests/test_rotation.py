"""The password: read once, and read again when MongoDB refuses it."""

import hashlib
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from {{ cookiecutter.__package }} import connection
from {{ cookiecutter.__package }}.connection import Connection, Unavailable

Use = Callable[[Connection], None]


class SecretsManager(ThreadingHTTPServer):
    """Answers GetSecretValue with `secret`, a version for each, and counts how often."""

    secret = ""
    reads = 0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), GetSecretValue)


class GetSecretValue(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, SecretsManager)
        self.server.reads += 1
        secret = self.server.secret
        version = hashlib.sha256(secret.encode()).hexdigest()
        answer = json.dumps({"VersionId": version, "SecretString": secret}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def secrets_manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretsManager]:
    with SecretsManager() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "{{ cookiecutter.aws_region }}")
        monkeypatch.setenv("MONGODB_SECRET_ARN", "arn")
        yield server
        server.shutdown()


class User:
    """A MongoDB user with a password that can be rotated, and the secret that holds it."""

    def __init__(self, admin: MongoClient[dict[str, Any]], secrets_manager: SecretsManager) -> None:
        self.name = f"test-{uuid.uuid4().hex[:8]}"
        self.password = uuid.uuid4().hex
        self._admin = admin.admin
        self._secrets_manager = secrets_manager
        roles = ["readWriteAnyDatabase"]
        self._admin.command("createUser", self.name, pwd=self.password, roles=roles)
        self.write_secret()

    def rotate(self) -> None:
        self.password = uuid.uuid4().hex
        self._admin.command("updateUser", self.name, pwd=self.password)

    def write_secret(self) -> None:
        secret = {"username": self.name, "password": self.password}
        self._secrets_manager.secret = json.dumps(secret)

    def drop(self) -> None:
        self._admin.command("dropUser", self.name)


@pytest.fixture
def user(
    mongodb_uri: str, secrets_manager: SecretsManager, monkeypatch: pytest.MonkeyPatch
) -> Iterator[User]:
    with MongoClient[dict[str, Any]](mongodb_uri) as admin:
        try:
            user = User(admin, secrets_manager)
        except OperationFailure as error:
            pytest.skip(f"MONGODB_URI may not create users: {error.code}")
        monkeypatch.setenv("MONGODB_URI", without_user(mongodb_uri))
        yield user
        user.drop()


def without_user(uri: str) -> str:
    """Leave out who logs in and how; hosts and options such as TLS's stay."""
    parts = urlsplit(uri)
    hosts = parts.netloc.rpartition("@")[2]
    options = [it for it in parse_qsl(parts.query) if not it[0].lower().startswith("auth")]
    return f"{parts.scheme}://{hosts}/?{urlencode(options)}"


@pytest.fixture
def use(context: Callable[[], LambdaContext]) -> Use:
    """Authenticate and do something that only the user may do."""

    def find(mongodb: Connection) -> None:
        with mongodb.database(context()) as db:
            db.items.find_one()

    return find


def test_reads_the_secret_once(user: User, use: Use, secrets_manager: SecretsManager) -> None:
    mongodb = Connection.from_environment()
    for _ in range(20):
        use(mongodb)

    assert secrets_manager.reads == 1


def test_picks_up_a_rotated_password(
    user: User, use: Use, secrets_manager: SecretsManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "MAX_IDLE", 0.05)
    mongodb = Connection.from_environment()
    use(mongodb)

    user.rotate()
    time.sleep(0.1)  # the idle connection is given up, the next one has to sign in
    with pytest.raises(Unavailable, match="refuses"):
        use(mongodb)
    user.write_secret()
    use(mongodb)

    assert secrets_manager.reads == 3  # at first, when refused, when refused again


def test_picks_up_a_rotated_password_though_the_secret_was_broken_meanwhile(
    user: User, use: Use, secrets_manager: SecretsManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "MAX_IDLE", 0.05)
    mongodb = Connection.from_environment()
    use(mongodb)

    user.rotate()
    time.sleep(0.1)
    secrets_manager.secret = "{"
    with pytest.raises(Unavailable, match="not JSON"):
        use(mongodb)
    user.write_secret()
    use(mongodb)


@pytest.mark.parametrize("password", ["old", "with a line break\n"])
def test_threads_that_are_refused_together_read_the_secret_once(
    password: str, user: User, use: Use, secrets_manager: SecretsManager
) -> None:
    secrets_manager.secret = json.dumps({"username": user.name, "password": password})
    mongodb = Connection.from_environment()  # reads it twice: it is refused, and tries again
    before = secrets_manager.reads
    user.write_secret()

    failures: list[BaseException] = []
    threads = [threading.Thread(target=collect, args=(use, mongodb, failures)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert secrets_manager.reads == before + 1


def collect(function: Any, mongodb: Connection, failures: list[BaseException]) -> None:
    """Call the function and keep what it raises."""
    try:
        function(mongodb)
    except BaseException as error:
        failures.append(error)


@pytest.mark.parametrize("password", ["hunter2\n", "hunter2\0", "\u00ad", "\ud800"])
def test_recovers_from_a_password_that_the_driver_cannot_use(
    password: str,
    user: User,
    use: Use,
    secrets_manager: SecretsManager,
    caplog: pytest.LogCaptureFixture,
) -> None:
    secrets_manager.secret = json.dumps({"username": user.name, "password": password})
    mongodb = Connection.from_environment()
    before = secrets_manager.reads

    with pytest.raises(Unavailable, match="can't use the username or password in the secret"):
        use(mongodb)
    assert "SASLprep" in caplog.text
    assert "hunter2" not in caplog.text
    user.write_secret()
    use(mongodb)

    assert secrets_manager.reads == before + 2  # when refused, when refused again


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "hunter2",
        "[]",
        '{"username": "hunter2"}',
        '{"username": "", "password": "hunter2"}',
        '{"username": "hunter2", "password": ""}',
        '{"username": "hunter2", "password": null}',
        '{"username": "hunter2", "password": 12345678}',
        '{"username": "hunter2", "password": {"value": "hunter2"}}',
    ],
)
def test_a_malformed_secret_is_reported_and_not_shown(
    secret: str, use: Use, secrets_manager: SecretsManager, caplog: pytest.LogCaptureFixture
) -> None:
    secrets_manager.secret = secret
    mongodb = Connection.from_environment()

    with pytest.raises(Unavailable, match="not JSON with username and password"):
        use(mongodb)

    assert "MONGODB_SECRET_ARN" in caplog.text
    assert "hunter2" not in caplog.text
