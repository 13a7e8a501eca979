"""Published versions with SnapStart, and what may have changed when an environment is restored."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.lab.cluster import Auth, Cluster, Variables
from tests.lab.container_credentials import ContainerCredentials
from tests.lab.deployed import Deployed, request
from tests.lab.faults import SHORT, TIMEOUT
from tests.lab.leaks import Canaries, WatchedEnvironment
from tests.lab.outages import Mend, black_hole, names_fail, servers_down
from tests.support.execution_environment import Invocation
from tests.support.snapshots import Snapshot

AN_HOUR = 3600.0  # seconds
LIFE, LONG_LIFE = 3.0, 6 * AN_HOUR  # seconds that a role's credentials last
DEBUG = {"AWS_LAMBDA_LOG_LEVEL": "DEBUG", "POWERTOOLS_LOG_LEVEL": "DEBUG"}
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


@dataclass
class Version:
    """A version of which there is a snapshot, and the world that its copies find."""

    project: Deployed
    handler: str
    cluster: Cluster
    auth: Auth
    canaries: Canaries
    variables: Variables  # without the role's credentials
    keys: Variables  # those, as functions without SnapStart have them
    credentials: ContainerCredentials
    role: str
    snapshot: Snapshot = field(init=False)

    def environment(self, timeout: float = TIMEOUT, later: float = 0.0) -> WatchedEnvironment:
        """One that is restored when it is entered."""
        return WatchedEnvironment(
            self.project.code,
            self.handler,
            canaries=self.canaries,
            hosts=self.cluster.hosts,
            timeout=timeout,
            snapshot=self.snapshot,
            later=later,
        )

    def renew_credentials(self, life: float = LONG_LIFE) -> None:
        """Have the role assumed anew, for so many seconds."""
        key = uuid.uuid4().hex
        secret, token = map(self.canaries.new, ("secret key", "session token"))
        expires = datetime.now(UTC) + timedelta(seconds=life)
        self.cluster.atlas.sts.add_session(self.role, key, secret, token, expires)
        self.keys = dict(zip(_KEYS, (key, secret, token), strict=True))
        self.credentials.change(self.keys, life)

    def end_sessions(self) -> None:
        """Have STS know none of the role's credentials so far."""
        self.cluster.atlas.sts.end_sessions(self.role)


@contextmanager
def published(
    project: Deployed,
    handler: str,
    cluster: Cluster,
    auth: Auth,
    canaries: Canaries,
    *,
    life: float = LONG_LIFE,
    settings: Variables = DEBUG,
) -> Iterator[Version]:
    """Publish a version: run INIT, with credentials that last so long, and take the snapshot."""
    variables = project.variables(cluster.atlas.host, heartbeatFrequencyMS="500") | settings
    variables |= cluster.environment | cluster.sign_in(auth)
    keys = {name: variables.pop(name, uuid.uuid4().hex) for name in _KEYS}
    role = f"arn:aws:iam::123456789012:role/{keys['AWS_ACCESS_KEY_ID']}"
    with ExitStack() as stack:
        credentials = stack.enter_context(ContainerCredentials(keys))
        version = Version(
            project, handler, cluster, auth, canaries, variables, keys, credentials, role
        )
        version.renew_credentials(life)
        version.snapshot = stack.enter_context(
            Snapshot(project.code, handler, variables | credentials.environment)
        )
        canaries.check(version.snapshot.init_logs, "the logs of INIT")
        yield version


# Changes something after the snapshot, and returns what makes all well, if it isn't.
Change = Callable[[Version], Mend | None]


def secret_refused(version: Version) -> Mend:
    version.cluster.secrets.refusal = "AccessDeniedException"
    return lambda: setattr(version.cluster.secrets, "refusal", None)


def secret_rotated(version: Version) -> None:
    """The old password isn't valid any more."""
    secrets, arn = version.cluster.secrets, version.variables["MONGODB_SECRET_ARN"]
    user = json.loads(secrets.values[arn]) | {"password": version.canaries.new("password")}
    version.cluster.atlas.set_password(user["username"], user["password"])
    secrets.put(user, arn)


def secret_late(version: Version) -> Mend:
    """The old password isn't valid any more, and the new one isn't in the secret yet."""
    secrets, arn = version.cluster.secrets, version.variables["MONGODB_SECRET_ARN"]
    user = json.loads(secrets.values[arn]) | {"password": version.canaries.new("password")}
    version.cluster.atlas.set_password(user["username"], user["password"])
    return lambda: secrets.put(user, arn)


def credentials_changed(version: Version) -> None:
    """Those of the snapshot aren't valid any more, though they say that they are."""
    version.end_sessions()
    version.renew_credentials()


def credentials_gone(version: Version) -> Mend:
    """Nobody has any for the role, for a while."""
    version.credentials.refuse = True
    return lambda: setattr(version.credentials, "refuse", False)


def primary_elsewhere(version: Version) -> None:
    version.cluster.step_down()


def nothing(_: Version) -> None:
    """All is as it was."""


@dataclass(frozen=True)
class Difference:
    """What is other than when the snapshot was taken, and what the first response then is."""

    change: Change
    status: int
    auths: tuple[Auth, ...] = ("iam", "password")
    nodes: int = 1  # of the cluster
    later: float = 0.0  # seconds that have passed by the copy's clock; the credentials have expired
    timeout: float = SHORT  # seconds, of the function


DIFFERENCES = {
    "nothing": Difference(nothing, 200),
    "an hour has passed": Difference(nothing, 200, later=AN_HOUR),
    "the database is down": Difference(servers_down, 503),
    "the network is a black hole": Difference(black_hole, 503),
    "DNS is gone": Difference(names_fail, 503),
    "another node is the primary": Difference(primary_elsewhere, 200, nodes=3),
    "the role's credentials have changed": Difference(credentials_changed, 200),
    # The SDK asks three times, which takes it three seconds.
    "the role's credentials can't be had": Difference(credentials_gone, 503, timeout=TIMEOUT),
    "the secret was rotated": Difference(secret_rotated, 200, ("password",)),
    "the secret is rotated late": Difference(secret_late, 503, ("password",)),
    "the secret can't be read": Difference(secret_refused, 503, ("password",)),
}


@dataclass(frozen=True)
class Restored:
    """What came of a restore: its seconds, the first invocation, and the one when all is well."""

    seconds: float
    first: Invocation
    then: Invocation


def restore(
    difference: Difference,
    project: Deployed,
    clusters: Mapping[int, Cluster],
    auth: Auth,
    canaries: Canaries,
) -> Restored:
    """Take a snapshot, change what is different, restore an environment and invoke it.

    `clusters` are known by how many nodes they have. InitError where Lambda would restore over and
    over.
    """
    function = project.functions[0]
    event = request(next(it for it in function.routes if it.startswith("GET")))
    life = LIFE if difference.later else LONG_LIFE
    cluster = clusters[difference.nodes]
    with (
        published(project, function.handler, cluster, auth, canaries, life=life) as version,
        ExitStack() as mended,
    ):
        if difference.later:
            time.sleep(LIFE)
            version.renew_credentials()
        if mend := difference.change(version):
            mended.callback(mend)
        with version.environment(difference.timeout, difference.later) as environment:
            first = environment.invoke(event)
            mended.close()
            environment.timeout = TIMEOUT
            return Restored(environment.init_seconds, first, environment.invoke(event))
