"""What is wrong while INIT runs: it ends in time, invocations answer 503, and get over it.

Lambda gives INIT ten seconds and starts over when it takes longer or fails; so does
`ExecutionEnvironment`, which raises InitError then.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.lab.cluster import DATABASE, Auth, Cluster, Variables
from tests.lab.conftest import Deployer
from tests.lab.deployed import request
from tests.lab.fault_proxy import FaultProxy
from tests.lab.leaks import Canaries, WatchedEnvironment
from tests.lab.outages import Mend, black_hole, names_fail, servers_down
from tests.support.execution_environment import json_records
from tests.support.servers import LOOPBACK

pytestmark = pytest.mark.slow

NO_SERVER = "No MongoDB server answers: does Atlas allow this function's network?"
NO_NAMES = "The host in MONGODB_URI has no usable DNS records"
NO_SETTINGS = "MONGODB_URI or MONGODB_DATABASE is not set"
NO_URI = "MONGODB_URI is not a usable connection string"
UNREAD = "Reading the secret MONGODB_SECRET_ARN failed: "
NO_CREDENTIALS = (
    "The secret MONGODB_SECRET_ARN is not JSON with username and password, each a text that "
    "isn't empty"
)
UNUSABLE = {
    "iam": "The driver has no usable credentials: does the environment have the execution role's?",
    "password": "The driver can't use the username or password in the secret: is there a line "
    "break or another character that SASLprep forbids?",
}
NO_FIT = "MONGODB_URI doesn't fit the cluster: is its authSource the mechanism's?"
REFUSED = {
    "iam": "MongoDB refuses the execution role: is its ARN a database user in Atlas?",
    "password": "MongoDB refuses the password in the secret: is it the database user's?",
}
DENIED = "MongoDB denies the operation: does the user have readWrite on MONGODB_DATABASE?"


@dataclass
class Service:
    """A service that is about to start, with all as it should be."""

    cluster: Cluster
    auth: Auth
    variables: Variables
    canaries: Canaries
    resources: ExitStack = field(default_factory=ExitStack)

    @property
    def secret(self) -> str:
        return self.cluster.secrets.values[self.variables["MONGODB_SECRET_ARN"]]

    @secret.setter
    def secret(self, value: str) -> None:
        self.cluster.secrets.put(value, self.variables["MONGODB_SECRET_ARN"])


# Spoils something and returns what mends it.
Cause = Callable[[Service], Mend]


def names_silent(service: Service) -> Mend:
    service.cluster.atlas.outage = "silent"
    return service.cluster.heal


def no_such_name(service: Service) -> Mend:
    service.cluster.atlas.outage = "NXDOMAIN"
    return service.cluster.heal


def certificate_expired(service: Service) -> Mend:
    service.cluster.atlas.present_certificate(expired=True)
    return service.cluster.heal


def certificate_of_another_host(service: Service) -> Mend:
    service.cluster.atlas.present_certificate("cluster0.another.example")
    return service.cluster.heal


def not_a_user(service: Service) -> Mend:
    """Atlas doesn't know it, yet."""
    atlas, variables = service.cluster.atlas, service.variables
    if service.auth == "password":
        user = json.loads(service.secret)
        atlas.mongod.admin.admin.command("dropUser", user["username"])
        return lambda: atlas.add_user(user["username"], user["password"], DATABASE)
    key = f"other-{variables['AWS_ACCESS_KEY_ID']}".replace("-", "")
    role = f"arn:aws:iam::123456789012:role/{key}"
    session = key, variables["AWS_SECRET_ACCESS_KEY"], variables["AWS_SESSION_TOKEN"]
    atlas.sts.add_session(role, *session)
    variables["AWS_ACCESS_KEY_ID"] = key
    return lambda: atlas.add_role(role, *session, DATABASE)


def not_permitted(service: Service) -> Mend:
    """Its user may read and write another database."""
    admin = service.cluster.atlas.mongod.admin.admin
    name = (
        f"arn:aws:iam::123456789012:role/{service.variables['AWS_ACCESS_KEY_ID']}"
        if service.auth == "iam"
        else json.loads(service.secret)["username"]
    )

    def grant(database: str) -> None:
        admin.command("updateUser", name, roles=[{"role": "readWrite", "db": database}])

    grant("another")
    return lambda: grant(DATABASE)


def secret_holds(value: str | Callable[[dict[str, str]], object]) -> Cause:
    """Text, or JSON made of what is right."""

    def spoil(service: Service) -> Mend:
        right = service.secret
        service.secret = value if isinstance(value, str) else json.dumps(value(json.loads(right)))
        return lambda: setattr(service, "secret", right)

    return spoil


def secret_not_json(service: Service) -> Mend:
    """The password alone, as people might enter it."""
    right = service.secret
    service.secret = json.loads(right)["password"]
    return lambda: setattr(service, "secret", right)


def secret_binary(service: Service) -> Mend:
    secrets, arn = service.cluster.secrets, service.variables["MONGODB_SECRET_ARN"]
    secrets.binary.add(arn)
    return lambda: secrets.binary.discard(arn)


def secret_missing(service: Service) -> Mend:
    values, arn = service.cluster.secrets.values, service.variables["MONGODB_SECRET_ARN"]
    right = values.pop(arn)
    return lambda: setattr(service, "secret", right)


def secrets_manager_says(code: str) -> Cause:
    def spoil(service: Service) -> Mend:
        service.cluster.secrets.refusal = code
        return lambda: setattr(service.cluster.secrets, "refusal", None)

    return spoil


def secrets_manager_silent(service: Service) -> Mend:
    proxy = service.resources.enter_context(FaultProxy(service.cluster.secrets.port))
    service.variables["AWS_ENDPOINT_URL_SECRETS_MANAGER"] = f"http://{LOOPBACK}:{proxy.port}"
    proxy.partition()
    return proxy.heal


def aws_files(config: str = "", credentials: str = "") -> Cause:
    """Have the credentials in the SDK's files instead of variables, which a process can't reread.

    Those of SnapStart and containers come from outside the process, too.
    """

    def spoil(service: Service) -> Mend:
        folder = Path(service.resources.enter_context(TemporaryDirectory()))
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        right = "".join(f"{name.lower()}={service.variables[name]}\n" for name in names)
        (folder / "config").write_text(config)
        (folder / "credentials").write_text(credentials)
        service.variables |= dict.fromkeys(names, "") | {
            "AWS_CONFIG_FILE": str(folder / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        return lambda: (folder / "credentials").write_text(f"[default]\n{right}")

    return spoil


EVERYWHERE: dict[str, tuple[Cause, str]] = {
    "servers down": (servers_down, NO_SERVER),
    "black hole": (black_hole, NO_SERVER),
    "DNS silent": (names_silent, NO_NAMES),
    "DNS failure": (names_fail, NO_NAMES),
    "no such name": (no_such_name, NO_NAMES),
    "certificate expired": (certificate_expired, NO_SERVER),
    "certificate of another host": (certificate_of_another_host, NO_SERVER),
    "not permitted": (not_permitted, DENIED),
}
CAUSES: dict[Auth, dict[str, tuple[Cause, str]]] = {
    "iam": EVERYWHERE
    | {
        "not a user": (not_a_user, REFUSED["iam"]),
        "no credentials": (aws_files(), UNUSABLE["iam"]),
        "half of the credentials": (
            aws_files(credentials="[default]\naws_access_key_id=AKIA\n"),
            UNUSABLE["iam"],
        ),
        "credentials can't be had": (
            aws_files(config="[default]\ncredential_process=false\n"),
            UNUSABLE["iam"],
        ),
    },
    "password": EVERYWHERE
    | {
        "not a user": (not_a_user, REFUSED["password"]),
        "secret not JSON": (secret_not_json, NO_CREDENTIALS),
        "secret empty": (secret_holds(""), NO_CREDENTIALS),
        "secret a list": (secret_holds(lambda it: list(it.values())), NO_CREDENTIALS),
        "secret without username": (
            secret_holds(lambda it: {"password": it["password"]}),
            NO_CREDENTIALS,
        ),
        "secret without password": (
            secret_holds(lambda it: {"username": it["username"]}),
            NO_CREDENTIALS,
        ),
        "username empty": (secret_holds(lambda it: it | {"username": ""}), NO_CREDENTIALS),
        "password empty": (secret_holds(lambda it: it | {"password": ""}), NO_CREDENTIALS),
        "password null": (secret_holds(lambda it: it | {"password": None}), NO_CREDENTIALS),
        "password a number": (secret_holds(lambda it: it | {"password": 12345}), NO_CREDENTIALS),
        "password nested": (secret_holds(lambda it: it | {"password": it}), NO_CREDENTIALS),
        "secret nested too deep": (secret_holds("[" * 65_000), NO_CREDENTIALS),
        "secret binary": (secret_binary, NO_CREDENTIALS),
        "line break in the password": (
            secret_holds(lambda it: it | {"password": it["password"] + "\n"}),
            UNUSABLE["password"],
        ),
        "password of nothing but a soft hyphen": (
            secret_holds(lambda it: it | {"password": "\u00ad"}),
            UNUSABLE["password"],
        ),
        "username that is no Unicode": (
            secret_holds(lambda it: it | {"username": "\ud800"}),
            UNUSABLE["password"],
        ),
        "line break in the username": (
            secret_holds(lambda it: it | {"username": it["username"] + "\n"}),
            REFUSED["password"],
        ),
        "secret missing": (secret_missing, UNREAD + "ResourceNotFoundException"),
        "secret denied": (
            secrets_manager_says("AccessDeniedException"),
            UNREAD + "AccessDeniedException",
        ),
        "Secrets Manager throttles": (
            secrets_manager_says("ThrottlingException"),
            UNREAD + "ThrottlingException",
        ),
        "Secrets Manager silent": (secrets_manager_silent, UNREAD + "ConnectTimeoutError"),
    },
}


@pytest.fixture
def service(
    auth: Auth, small_cluster: Cluster, deployed: Deployer, canaries: Canaries
) -> Iterator[Service]:
    variables = deployed(layout="multi", auth=auth).variables(small_cluster.atlas.host)
    variables |= small_cluster.environment | small_cluster.sign_in(auth)
    service = Service(small_cluster, auth, variables, canaries)
    with service.resources:
        yield service


@pytest.mark.parametrize(
    ("auth", "name"),
    [pytest.param(auth, name, id=f"{auth}-{name}") for auth in CAUSES for name in CAUSES[auth]],
)
def test_cause(
    auth: Auth,
    name: str,
    service: Service,
    deployed: Deployer,
    canaries: Canaries,
    figure: Callable[[str], None],
) -> None:
    cause, message = CAUSES[auth][name]
    mend = cause(service)
    try:
        environment = start(service, deployed, canaries)
        refused = environment.invoke(request("GET /items"))
    finally:
        mend()
    pid = environment.pid
    recovered = environment.invoke(request("GET /items"))

    figure(f"INIT {environment.init_seconds:.1f} s, answer {refused.seconds:.1f} s")
    if message != DENIED:  # to connect it may
        assert message in errors(environment.init_logs)
    assert refused.response["statusCode"] == 503
    assert errors(refused.logs) == [message]
    assert recovered.error is None
    assert recovered.response["statusCode"] == 200, recovered.logs
    assert environment.pid == pid


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        pytest.param("MONGODB_URI", "", NO_SETTINGS, id="no-uri"),
        pytest.param("MONGODB_DATABASE", "", NO_SETTINGS, id="no-database"),
        pytest.param("MONGODB_URI", "mongodb://[{}", NO_URI, id="brackets"),
        pytest.param("MONGODB_URI", "mongodb://user:{}@host/", NO_URI, id="not-escaped"),
        pytest.param("MONGODB_URI", "https://{}", NO_URI, id="scheme"),
        pytest.param("MONGODB_URI", "mongodb+srv://a,{}/", NO_URI, id="hosts"),
    ],
)
@pytest.mark.parametrize("auth", CAUSES)
def test_settings(
    variable: str,
    value: str,
    message: str,
    service: Service,
    deployed: Deployer,
    canaries: Canaries,
) -> None:
    """A new deploy mends them, which makes new environments."""
    right = service.variables[variable]
    service.variables[variable] = value.format(canaries.new("part of a setting"))
    environment = start(service, deployed, canaries)
    refused = environment.invoke(request("GET /items"))
    assert refused.response["statusCode"] == 503, refused
    assert errors(environment.init_logs) == errors(refused.logs) == [message]

    service.variables[variable] = right
    deployed_again = start(service, deployed, canaries)
    assert deployed_again.invoke(request("GET /items")).response["statusCode"] == 200


@pytest.mark.parametrize("auth", ["iam"])
def test_uri_without_the_source_of_its_mechanism(
    service: Service, deployed: Deployer, canaries: Canaries
) -> None:
    """Atlas's DNS records name another, which only shows when the host is resolved."""
    right = service.variables["MONGODB_URI"]
    service.variables["MONGODB_URI"] = right.replace("&authSource=%24external", "")
    environment = start(service, deployed, canaries)
    refused = environment.invoke(request("GET /items"))
    assert service.variables["MONGODB_URI"] != right
    assert refused.response["statusCode"] == 503, refused
    assert errors(environment.init_logs) == errors(refused.logs) == [NO_FIT]


def test_secret_with_more_in_it(
    small_cluster: Cluster, deployed: Deployer, canaries: Canaries
) -> None:
    """Such as Secrets Manager's own secrets of Atlas users have."""
    service = Service(small_cluster, "password", small_cluster.sign_in("password"), canaries)
    service.variables |= small_cluster.environment
    service.variables |= deployed(layout="multi", auth="password").variables(
        small_cluster.atlas.host
    )
    service.secret = json.dumps(json.loads(service.secret) | {"clusterUrl": "…", "port": 27017})
    with service.resources:
        environment = start(service, deployed, canaries)
        assert environment.invoke(request("GET /items")).response["statusCode"] == 200


def start(service: Service, deployed: Deployer, canaries: Canaries) -> WatchedEnvironment:
    """An environment that is through INIT; it ends with the service."""
    project = deployed(layout="multi", auth=service.auth)
    return service.resources.enter_context(
        WatchedEnvironment(
            project.code,
            project.functions[0].handler,
            service.variables,
            canaries=canaries,
            hosts=service.cluster.hosts,
        )
    )


def errors(logs: str) -> list[str]:
    """The messages that are logged as errors."""
    return [it["message"] for it in json_records(logs) if it.get("level") == "ERROR"]
