{%- import 'options.j2' as options -%}
"""The service's MongoClient: one per execution environment, made outside the handlers.

No other module builds a client. MongoDB's documentation says why:
https://www.mongodb.com/docs/atlas/manage-connections-aws-lambda/
"""
{% if cookiecutter.auth == "password" %}
import json
{%- endif %}
import logging
import os
import random
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

{% if cookiecutter.auth == "password" -%}
import boto3
{% endif -%}
import pymongo
from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
{%- if cookiecutter.auth == "password" %}
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
{%- endif %}
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ClientBulkWriteException,
    ConfigurationError,
    ConnectionFailure,
    InvalidURI,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)
from pymongo.monitoring import (
    ConnectionClosedEvent,
    ConnectionClosedReason,
    ConnectionCreatedEvent,
    ConnectionPoolListener,
    ConnectionReadyEvent,
)
from pymongo.uri_parser import split_options
{%- if cookiecutter.snapstart == "yes" %}
from snapshot_restore_py import register_after_restore, register_before_snapshot

from .snapshot import differ, forget_credentials
{%- endif %}

Document = dict[str, Any]

# What one attempt to reach the database may take, in seconds. INIT has 10 in all.
CONNECT_TIMEOUT = 4.0
# Respond this long before Lambda would end the environment, and its connection with it.
DEADLINE_MARGIN = 1.0
# A socket that was idle this long, often in a frozen environment, may be dead.
MAX_IDLE = 60.0
# What MONGODB_OPTIONS may hold: what a cluster needs, and nothing that is set below.
OPTIONS = (
{%- for name in options.names %}
    "{{ name.partition("=")[0] }}",
{%- endfor %}
)
# What 503 responses ask callers to wait, in seconds: at least as long as an election takes, and not
# all the same, or those who got one at once would come back at once.
RETRY_AFTER = (5, 10)

# Atlas's Free and Flex clusters report most errors as code 8000. Only the message tells them apart:
# how it begins for refused credentials, for a missing privilege, and where nothing more fits in.
# Any other, such as "$where is not allowed in this atlas tier", is the handler's own error.
BAD_CREDENTIALS = "bad auth"
NO_PRIVILEGE = "user is not allowed to do action"
NO_SPACE = ("you are over your space quota", "cannot create a new collection")

# What a mongos answers when it can't reach a shard or finds no primary there: HostUnreachable,
# HostNotFound, NetworkTimeout, FailedToSatisfyReadPreference and SocketException.
NO_SHARD = (6, 7, 89, 133, 9001)

logger = Logger()
# At DEBUG it logs requests and responses as they are: session tokens and secrets.
logging.getLogger("botocore").setLevel(logging.INFO)


class Unavailable(Exception):
    """The database is unreachable or refuses the service: respond with 503 and `retry_after()`.

    A write may have been carried out all the same: the connection may have broken after it.
    The message says what to look at. It is for the log, and has neither hosts nor credentials.
    """


def retry_after() -> str:
    """Return the header `Retry-After` of a 503 response, for this caller."""
    return str(random.randint(*RETRY_AFTER))  # noqa: S311


class UnusableCredentials(Unavailable):
    """The driver can't even prepare the credentials for MongoDB."""

    def __init__(self) -> None:
{%- if cookiecutter.auth == "password" %}
        super().__init__(
            "The driver can't use the username or password in the secret: is there a line break or "
            "another character that SASLprep forbids?"
        )
{%- elif cookiecutter.auth == "iam" %}
        super().__init__(
            "The driver has no usable credentials: does the environment have the execution role's?"
        )
{%- endif %}


class Connection:
    """Owns the MongoClient of an execution environment. Build it at module scope:

        mongodb = Connection.from_environment()

        def handler(event, context):
            with mongodb.database(context) as db:
                return {"database": db.name}

    It connects while Lambda initialises the environment, and never raises there, since a failed
    import makes Lambda start over in a loop. Invocations try again.
{%- if cookiecutter.snapstart == "yes" %}

    Lambda keeps a snapshot of that environment, without the connection. The copies that it starts
    connect anew, each for itself.
{%- endif %}
    """
{% if cookiecutter.auth == "password" %}
    def __init__(self, uri: str, database: str, secret_arn: str | None, options: str = "") -> None:
        self._uri = uri
        self._options = options
        self._database = database
        self._secret_arn = secret_arn
        self._secret_version = ""
{%- elif cookiecutter.auth == "iam" %}
    def __init__(self, uri: str, database: str, options: str = "") -> None:
        self._uri = uri
        self._options = options
        self._database = database
{%- endif %}
        self._client: MongoClient[Document] | None = None
        self._pool = _Pool()
        self._last_used = 0.0
        self._lock = threading.Lock()
        self._connect_early()
{%- if cookiecutter.snapstart == "yes" %}
        register_before_snapshot(self._disconnect)
        register_after_restore(self._reconnect)
{%- endif %}

    @classmethod
    def from_environment(cls) -> "Connection":
{%- if cookiecutter.auth == "password" %}
        """Read `MONGODB_URI`, `MONGODB_OPTIONS`, `MONGODB_DATABASE` and `MONGODB_SECRET_ARN`.

        The secret is JSON with `username` and `password`. Without an ARN, as on a laptop, the
        client uses the URI as it stands.
        """
        return cls(
            os.environ.get("MONGODB_URI", ""),
            os.environ.get("MONGODB_DATABASE", ""),
            os.environ.get("MONGODB_SECRET_ARN"),
            os.environ.get("MONGODB_OPTIONS", ""),
        )
{%- elif cookiecutter.auth == "iam" %}
        """Read `MONGODB_URI`, `MONGODB_OPTIONS` and `MONGODB_DATABASE`.

        The URI names the mechanism, MONGODB-AWS, and holds no credentials: the driver takes those
        of the execution role from the environment.
        """
        return cls(
            os.environ.get("MONGODB_URI", ""),
            os.environ.get("MONGODB_DATABASE", ""),
            os.environ.get("MONGODB_OPTIONS", ""),
        )
{%- endif %}

    @contextmanager
    def database(self, context: LambdaContext) -> Iterator[Database[Document]]:
        """Yield the database to one invocation.

        Every operation in the block must end `DEADLINE_MARGIN` before the invocation's deadline.

        Raises:
            Unavailable: MongoDB is unreachable, too slow or refuses the credentials.
        """
        seconds = context.get_remaining_time_in_millis() / 1000 - DEADLINE_MARGIN
        try:
            with pymongo.timeout(max(seconds, 0.001)):  # 0 would mean no limit
                yield self._connected_client()[self._database]
            self._last_used = time.time()
        except (PyMongoError, Unavailable) as error:
            reason = _why_unavailable(error)
            if reason is None:
                raise
            _log(reason, error)
            _count("Unavailable", reason=reason)
            raise Unavailable(reason) from None

    def _connect_early(self) -> None:
        try:
            with pymongo.timeout(CONNECT_TIMEOUT):
                self._connected_client()
        except Exception as error:  # whatever it is, the first invocation can report it
            _log(_why_unavailable(error) or "Connecting failed", error)
{%- if cookiecutter.snapstart == "yes" %}

    def _disconnect(self) -> None:
        """Leave nothing in the snapshot that is of no use in its copies."""
        client, self._client = self._client, None
        if client:
            with pymongo.timeout(CONNECT_TIMEOUT):
                client.close()
        forget_credentials()

    def _reconnect(self) -> None:
        """Start over in a copy. As in INIT, an error would make Lambda do it in a loop."""
        differ()
        self._connect_early()
{%- endif %}

    def _connected_client(self) -> MongoClient[Document]:
        """Return the client; ping first if it has no connection known to be alive."""
        with self._lock:  # so that threads which find the connection gone mend it once
            if self._client is None:
                self._client = self._build()
            # By the wall clock: the monotonic one may stand still while the environment is frozen.
            if self._pool.size and time.time() - self._last_used < MAX_IDLE:
                return self._client
{%- if cookiecutter.auth == "password" %}
            while True:
                try:
                    _ping(self._client)
                    break
                except (OperationFailure, UnusableCredentials) as error:
                    if not _refused(error):
                        raise
                    # The secret may have changed. Closing the old client ends its monitors, and
                    # doesn't wait for a server on which to end its sessions, too.
                    refused, self._client = self._client, None
                    with pymongo.timeout(0.001):
                        refused.close()
                    version = self._secret_version
                    self._client = self._build()
                    if self._secret_version == version:  # the same would be refused again
                        raise
{%- elif cookiecutter.auth == "iam" %}
            _ping(self._client)
{%- endif %}
            self._last_used = time.time()
            return self._client

    def _build(self) -> MongoClient[Document]:
        """Build the client, which connects at its first operation."""
        if not self._uri or not self._database:
            raise Unavailable("MONGODB_URI or MONGODB_DATABASE is not set")
{%- if cookiecutter.auth == "password" %}
        credentials: dict[str, Any] = {}
        if self._secret_arn:
            credentials, self._secret_version = _read_secret(self._secret_arn)
{%- endif %}
        self._pool = _Pool()
        try:
            return MongoClient(
                _add_options(self._uri, self._options),
                appname=os.environ.get("AWS_LAMBDA_FUNCTION_NAME"),
                # An environment serves one invocation at a time. Raise it for threads.
                maxPoolSize=1,
                maxIdleTimeMS=int(MAX_IDLE * 1000),
                # Also the only bound on DNS lookups and on the driver's monitors.
                connectTimeoutMS=3000,
                tz_aware=True,
                event_listeners=[self._pool],
{%- if cookiecutter.auth == "password" %}
                **credentials,
{%- endif %}
            )
        except (PyMongoError, ValueError):  # their messages quote the URI
            options = " with MONGODB_OPTIONS" if self._options else ""
            raise Unavailable(f"MONGODB_URI{options} is not a usable connection string") from None


def _add_options(uri: str, options: str) -> str:
    """Return the URI with those of `MONGODB_OPTIONS`, joined by `&`, such as `srvMaxHosts=3`.

    Raises:
        Unavailable: an option isn't one of `OPTIONS`, or its value is nothing for the driver.
    """
    if not options:
        return uri
    # Of a value that it can't use, the client would only warn.
    with suppress(PyMongoError, TypeError, ValueError):
        split_options(options)
        if all(it.partition("=")[0] in OPTIONS for it in options.split("&")):
            return f"{uri}{'&' if '?' in uri else '?'}{options}"
    allowed = ", ".join(OPTIONS)
    raise Unavailable(f"MONGODB_OPTIONS must be of {allowed}, joined by &, such as srvMaxHosts=3")


def _ping(client: MongoClient[Document]) -> None:
    """Connect and authenticate, which building a client alone does not."""
    try:
        with pymongo.timeout(CONNECT_TIMEOUT):
            _sign_in(client)
    except ServerSelectionTimeoutError:
        raise
    except AutoReconnect:  # the socket had died, or the primary had moved, while frozen
        _sign_in(client)


def _sign_in(client: MongoClient[Document]) -> None:
    """Send a command for which nobody needs a privilege.

    Raises:
        UnusableCredentials: the driver had none to send.
    """
    try:
        # What the driver raises for characters that it can't encode; it may quote them.
        with suppress(IndexError, TypeError, ValueError):
            client.admin.command("ping")
            return
    except OperationFailure as error:
        if error.code is not None:  # the driver's own has none: it found no AWS credentials
            raise
    raise UnusableCredentials


class _Pool(ConnectionPoolListener):
    """Tracks the size of the connection pool, and counts each new connection as a metric.

    `ConnectionsOpened` stays far below the number of invocations as long as the client is reused.
    `FailedLogins` counts the attempts that MongoDB refused the credentials of, INIT's included.
    """

    def __init__(self) -> None:
        self.size = 0

    def connection_created(self, event: ConnectionCreatedEvent) -> None:
        self.size += 1  # an attempt: if it fails, the connection is closed again

    def connection_ready(self, event: ConnectionReadyEvent) -> None:
        _count("ConnectionsOpened")

    def connection_closed(self, event: ConnectionClosedEvent) -> None:
        self.size -= 1
        if event.reason != ConnectionClosedReason.ERROR:
            return
        error = sys.exception()  # the driver is handling it, and its events don't say which
        if isinstance(error, OperationFailure) and _means(error, 18, BAD_CREDENTIALS):
            _count("FailedLogins")

    def _ignore(self, event: object) -> None:
        pass

    pool_created = pool_ready = pool_cleared = pool_closed = _ignore
    connection_check_out_started = connection_check_out_failed = _ignore
    connection_checked_out = connection_checked_in = _ignore
{% if cookiecutter.auth == "password" %}

def _read_secret(secret_arn: str) -> tuple[dict[str, Any], str]:
    """Return `username` and `password` from Secrets Manager, and the ID of their version."""
    # Two attempts of these must fit into INIT beside the connection itself.
    config = Config(connect_timeout=1, read_timeout=1, retries={"total_max_attempts": 2})
    try:
        client = boto3.client("secretsmanager", config=config)
        response = client.get_secret_value(SecretId=secret_arn)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        raise Unavailable(f"Reading the secret MONGODB_SECRET_ARN failed: {code}") from None
    except (BotoCoreError, ValueError) as error:  # the latter for an endpoint that is no URL
        name = type(error).__name__
        raise Unavailable(f"Reading the secret MONGODB_SECRET_ARN failed: {name}") from None
    with suppress(ValueError, RecursionError):  # their messages may quote the secret
        match json.loads(response.get("SecretString", "")):
            case {"username": str(username), "password": str(password)} if username and password:
                credentials = {"username": username, "password": password}
                return credentials, response["VersionId"]
    raise Unavailable(
        "The secret MONGODB_SECRET_ARN is not JSON with username and password, each a text that "
        "isn't empty"
    )


def _refused(error: OperationFailure | UnusableCredentials) -> bool:
    """Whether other credentials may help."""
    return isinstance(error, UnusableCredentials) or _means(error, 18, BAD_CREDENTIALS)
{% endif %}

def _means(error: OperationFailure, code: int, on_atlas: str | tuple[str, ...]) -> bool:
    """Whether the error has MongoDB's own code, or Atlas's with a message that begins so."""
    return error.code == code or (error.code == 8000 and str(error).startswith(on_atlas))


def _why_unavailable(error: Exception) -> str | None:
    """Say what to look at, or return None for an error that is the handler's own."""
    match error:
        case Unavailable():
            return str(error)
        case BulkWriteError() | ClientBulkWriteException():  # a part may have been written
            return None
        case OperationFailure() if error.has_error_label("SystemOverloadedError"):
            return "The cluster is overloaded and sheds load: is its tier large enough?"
        case OperationFailure() if error.code in NO_SHARD:
            return "The cluster's mongos can't reach a shard"
        case OperationFailure() if error.has_error_label("RetryableWriteError"):
            return "The MongoDB server is about to end or isn't the primary any more"
        case OperationFailure() if _means(error, 18, BAD_CREDENTIALS):
{%- if cookiecutter.auth == "password" %}
            return "MongoDB refuses the password in the secret: is it the database user's?"
{%- elif cookiecutter.auth == "iam" %}
            return "MongoDB refuses the execution role: is its ARN a database user in Atlas?"
{%- endif %}
        case OperationFailure() if _means(error, 13, NO_PRIVILEGE):
            return "MongoDB denies the operation: does the user have readWrite on MONGODB_DATABASE?"
        case OperationFailure() if _means(error, 371, NO_SPACE):
            return "The cluster takes no more data: is its storage full?"
        case OperationFailure(code=211):  # a new primary can't check the cluster time yet
            return "The MongoDB server has only just started"
        case ServerSelectionTimeoutError():
            return "No MongoDB server answers: does Atlas allow this function's network?"
        case InvalidURI():  # the TXT record says replicaSet, or loadBalanced
            return "MONGODB_OPTIONS doesn't fit the cluster: srvMaxHosts is for sharded ones"
        case ConfigurationError() if error.__cause__:
            return "The host in MONGODB_URI has no usable DNS records"
        case ConfigurationError():
            return "MONGODB_URI doesn't fit the cluster: is its authSource the mechanism's?"
        case ConnectionFailure():
            return "The connection to MongoDB was lost"
        case PyMongoError() if error.timeout:
            return "MongoDB did not finish before the invocation's deadline"
    return None


def _log(reason: str, error: Exception) -> None:
    """Log class and code only: the driver's messages name hosts."""
    logger.error(reason, error=type(error).__name__, code=getattr(error, "code", None))


def _count(name: str, **details: str) -> None:
    """Add one to a metric of this function. Its line in the log also has the details."""
    namespace = os.environ.get("POWERTOOLS_SERVICE_NAME", "local")
    function = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "local")
    with single_metric(name, MetricUnit.Count, 1, namespace=namespace) as metric:
        metric.add_dimension("FunctionName", function)
        for key, value in details.items():
            metric.add_metadata(key, value)
