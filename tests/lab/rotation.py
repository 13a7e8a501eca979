"""A single user whose password is rotated every few seconds, while its service is busy.

That is what Secrets Manager does with a managed external secret of MongoDB Atlas: it makes a new
password, has Atlas change the user's, verifies it by a login, and only then makes it the secret's
current version. Atlas takes 5 to 10 seconds until the cluster knows the new password:
https://docs.aws.amazon.com/secretsmanager/latest/userguide/mes-partner-MongoDBAtlasDatabaseUser.html

So there is a window in which the password in the secret isn't the user's any more. Connections stay
authenticated; who has to log in then can't.
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field

from tests.lab.cluster import DATABASE, Cluster
from tests.lab.deployed import Deployed
from tests.lab.faults import MAX_IDLE, TIMEOUT
from tests.lab.leaks import Canaries
from tests.support.execution_environment import ExecutionEnvironment, json_records

REFUSED = "MongoDB refuses the password in the secret: is it the database user's?"
# How often, per invocation, an environment is idle until its connection is given up, and how often
# Lambda ends it and starts another.
IDLE, REPLACED = 0.25, 0.05


@dataclass
class Run:
    """What was done and what came of it, of all environments."""

    rotations: int = 0
    environments: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    slowest: float = 0.0  # seconds that a 503 took
    reads: int = 0  # of the secret
    refused: int = 0  # logins, by the server's log
    unread: int = 0  # of those, met by an operation whose connection had been given up under it

    def check(self) -> None:
        """Nothing but 200 and 503 in time, and one read of the secret for each refused login."""
        assert self.statuses.keys() <= {200, 503}, self
        assert self.slowest < TIMEOUT - 0.5, self
        # An environment reads the secret when it starts, and when a login was refused.
        assert self.reads == self.environments + self.refused - self.unread, self

    @property
    def share(self) -> float:
        """Of 503 among the responses."""
        return self.statuses[503] / self.statuses.total()


class Rotation:
    """The user, and a secret for each environment, by which its reads are counted."""

    def __init__(self, cluster: Cluster, canaries: Canaries) -> None:
        self._cluster, self._canaries = cluster, canaries
        self._user = f"user-{uuid.uuid4().hex[:8]}"
        self._lock = threading.Lock()
        self._arns: list[str] = []
        self._current = canaries.new("password")
        cluster.atlas.add_user(self._user, self._current, DATABASE)

    def secret(self) -> str:
        """Make another secret of the user, and return its ARN."""
        with self._lock:
            self._arns.append(self._cluster.secrets.put(self._value()))
            return self._arns[-1]

    def rotate(self, window: float) -> None:
        """Change the user's password, and so many seconds later the secrets."""
        password = self._canaries.new("password")
        self._cluster.atlas.set_password(self._user, password)
        time.sleep(window)
        with self._lock:
            self._current = password
            for arn in self._arns:
                self._cluster.secrets.put(self._value(), arn)

    def reads(self, arn: str) -> int:
        return self._cluster.secrets.reads[arn]

    def refused(self) -> int:
        """Logins of the user that the server has refused."""
        [node] = self._cluster.members
        return sum(
            it["msg"] == "Authentication failed" and it["attr"]["principalName"] == self._user
            for it in json_records(node.log.read_text("utf-8"))  # the last line may be half-written
        )

    def _value(self) -> dict[str, str]:
        return {
            "username": self._user,
            "password": self._current,
            "clusterUrl": self._cluster.atlas.host,
            "databaseName": "admin",
            "groupId": "5e2211c17a3e5a48f5497de3",
        }


def rotate_under_load(
    project: Deployed,
    cluster: Cluster,
    canaries: Canaries,
    *,
    seconds: float,
    every: float,
    window: float,
    environments: int,
) -> Run:
    """Rotate for so long, with so many environments at a time, each in use or idle for a moment."""
    rotation, run, lock = Rotation(cluster, canaries), Run(), threading.Lock()
    end = time.monotonic() + seconds
    failures: list[BaseException] = []

    def use(seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311
        try:
            while time.monotonic() < end:
                live(chance)
        except BaseException as error:
            failures.append(error)

    def live(chance: random.Random) -> None:
        """The life of one environment."""
        arn = rotation.secret()
        variables = project.variables(cluster.atlas.host, heartbeatFrequencyMS="500")
        variables |= cluster.environment | {"MONGODB_SECRET_ARN": arn}
        variables["LAB_MAX_IDLE"] = str(MAX_IDLE)
        found, unread = Counter[int](), 0
        slowest = 0.0
        with ExecutionEnvironment(
            project.code, project.operations, variables, timeout=TIMEOUT
        ) as one:
            while time.monotonic() < end and chance.random() >= REPLACED:
                time.sleep(1.5 * MAX_IDLE if chance.random() < IDLE else 0.05)
                before = rotation.reads(arn)
                invocation = one.invoke({"operation": "find", "number": 0})
                assert invocation.error is None, invocation.logs
                status = invocation.response["statusCode"]
                found[status] += 1
                if status == 503:
                    slowest = max(slowest, invocation.seconds)
                    assert REFUSED in invocation.logs, invocation.logs
                    unread += rotation.reads(arn) == before
        with lock:
            run.environments += 1
            run.statuses += found
            run.slowest = max(run.slowest, slowest)
            run.unread += unread
            run.reads += rotation.reads(arn)

    threads = [threading.Thread(target=use, args=(seed,)) for seed in range(environments)]
    for thread in threads:
        thread.start()
    while time.monotonic() + every < end:
        time.sleep(every - window)
        rotation.rotate(window)
        run.rotations += 1
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    run.refused = rotation.refused()
    return run
