"""Faults of the network and of nodes, and execution environments that live through them."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from tests.lab.cluster import Auth, Cluster
from tests.lab.deployed import Deployed
from tests.lab.leaks import Canaries, WatchedEnvironment
from tests.support.execution_environment import Invocation
from tests.support.mongod import Mongod
from tests.support.servers import wait_until

Phase = Literal["frozen", "frozen long", "running"]
Outcome = Literal["all succeed", "retryable succeed", "reads succeed", "none succeeds", "any"]
Key = tuple[Auth, str]
Invocations = dict[Key, Invocation]

OPERATIONS = ("find", "insert", "update_many", "aggregate")
READS = ("find", "aggregate")
RETRYABLE = (*READS, "insert")  # by the driver
COMMANDS = {"update_many": "update"}  # where the server has another name for it
PHASES: tuple[Phase, ...] = ("frozen", "frozen long", "running")
LAYOUTS: dict[Auth, str] = {"iam": "multi", "password": "web"}
"""Each way to sign in, by a service of one framework."""

TIMEOUT = 10.0  # seconds, of the template's functions
MAX_IDLE = 1.0  # of the functions, instead of a minute; the driver's heartbeat is as much quicker
LONG = 1.2  # longer than that
DOCUMENTS = 3  # in each group that update_many counts in

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Fault:
    """What goes wrong, until `Cluster.heal`, and what then comes of invocations in each phase.

    In the phase "running" it strikes when the operations' requests or replies are on the way to
    or from the primary; replies are of operations that have been carried out.
    """

    strike: Callable[[Cluster], None]
    outcomes: tuple[Outcome, Outcome, Outcome]
    on_the_way: Literal["requests", "replies"] | None = "replies"
    timeout: float = TIMEOUT  # of the functions; operations have a second less

    def outcome(self, phase: Phase) -> Outcome:
        return self.outcomes[PHASES.index(phase)]


def everywhere(method: str) -> Callable[[Cluster], None]:
    """Call a method of every proxy."""

    def strike(cluster: Cluster) -> None:
        for proxy in cluster.proxies:
            getattr(proxy, method)()

    return strike


def delay(seconds: float) -> Callable[[Cluster], None]:
    """Let every packet take so long."""

    def strike(cluster: Cluster) -> None:
        for proxy in cluster.proxies:
            proxy.delay = seconds
            proxy.release()

    return strike


def kill(cluster: Cluster) -> None:
    """Lose the primary, and what it was about to answer."""
    primary = cluster.primary
    primary.kill()
    cluster.proxy(primary).reset()


def restart(cluster: Cluster) -> None:
    """Lose the primary for as long as it takes to start again."""
    primary = cluster.primary
    kill(cluster)
    primary.launch()


def step_down(cluster: Cluster) -> None:
    """Have another primary, then let the requests arrive at the old one."""
    old = cluster.primary
    cluster.step_down()
    cluster.proxy(old).release()


def cut_off_primary(cluster: Cluster) -> None:
    cluster.cut_off(cluster.primary)


def cut_off_secondary(cluster: Cluster) -> None:
    primary = cluster.primary
    cluster.cut_off(next(member for member in cluster.members if member is not primary))
    cluster.proxy(primary).release()


def names_gone(cluster: Cluster) -> None:
    """Answer no name, while the open connections stay as they are."""
    cluster.atlas.outage = "SERVFAIL"
    everywhere("release")(cluster)


def names_and_connections_gone(cluster: Cluster) -> None:
    cluster.atlas.outage = "SERVFAIL"
    everywhere("finish")(cluster)


def certificate_expired(cluster: Cluster) -> None:
    """Open connections were made while it was valid: they have to be made again to notice."""
    cluster.atlas.present_certificate(expired=True)
    everywhere("finish")(cluster)


def certificate_of_another_host(cluster: Cluster) -> None:
    cluster.atlas.present_certificate("cluster0.another.example")
    everywhere("finish")(cluster)


LOST_CONNECTION: tuple[Outcome, Outcome, Outcome] = (
    "retryable succeed",
    "all succeed",  # thanks to the ping
    "retryable succeed",
)
# Running, one may have its answer before the fault strikes, by a connection that is only just open.
HOPELESS: tuple[Outcome, Outcome, Outcome] = ("none succeeds", "none succeeds", "any")
HARMLESS: tuple[Outcome, Outcome, Outcome] = ("all succeed", "all succeed", "all succeed")
SHORT = 4.0  # seconds; what is hopeless lasts until the deadline

FAULTS = {
    "FIN": Fault(everywhere("finish"), LOST_CONNECTION),
    "RST": Fault(everywhere("reset"), LOST_CONNECTION),
    "RST on the next packet": Fault(everywhere("forget"), LOST_CONNECTION, on_the_way=None),
    "lost connections": Fault(everywhere("lose"), LOST_CONNECTION),
    "black hole": Fault(everywhere("partition"), HOPELESS, timeout=SHORT),
    "latency": Fault(delay(0.2), HARMLESS),
    "latency past the deadline": Fault(delay(SHORT), HOPELESS, timeout=SHORT),
    # A server that has just started may refuse for a moment, since it can't check the clients'
    # cluster time yet (code 211), and the driver doesn't try again.
    "restart": Fault(restart, ("any", "any", "any")),
    # The driver tries again once: a second election meanwhile is one too many.
    "stepdown": Fault(step_down, ("any", "any", "any"), on_the_way="requests"),
    "killed primary": Fault(kill, LOST_CONNECTION),
    # The others soon elect a primary, but take their time to copy from it: a majority is late.
    "primary cut off": Fault(cut_off_primary, ("reads succeed", "reads succeed", "reads succeed")),
    "secondary cut off": Fault(cut_off_secondary, HARMLESS),
    # An idle connection is given up after a minute, and there is no other without a name.
    "DNS gone": Fault(names_gone, ("all succeed", "none succeeds", "all succeed"), timeout=SHORT),
    "DNS gone, FIN": Fault(names_and_connections_gone, HOPELESS, timeout=SHORT),
    "certificate expired": Fault(certificate_expired, HOPELESS, timeout=SHORT),
    "certificate of another host": Fault(certificate_of_another_host, HOPELESS, timeout=SHORT),
}


class Fleet:
    """Execution environments that are invoked together, each with an operation of its own."""

    def __init__(self, environments: dict[Key, WatchedEnvironment], cluster: Cluster) -> None:
        self._environments = environments
        self._cluster = cluster
        self._pool = ThreadPoolExecutor(len(environments))
        self._answers: list[tuple[dict[str, Any], Invocation]] = []

    def revive(self) -> None:
        """Start those whose processes an earlier failure has ended."""
        for environment in self._environments.values():
            if not environment.alive:
                environment.start()

    def pids(self) -> dict[Key, int]:
        return {key: environment.pid for key, environment in self._environments.items()}

    def warm_up(self) -> Invocations:
        return self._invoke(self._events())

    def live_through(self, fault: Fault, phase: Phase) -> Invocations:
        """Invoke each environment once while the fault lasts; returns when it is over."""
        events = self._events()
        for environment in self._environments.values():
            environment.timeout = fault.timeout
            if phase != "running":
                environment.freeze()
        try:
            if phase == "running":
                return self._strike_meanwhile(fault, events)
            fault.strike(self._cluster)
            time.sleep(LONG if phase == "frozen long" else 0)
            return self._invoke(events)
        finally:
            self._cluster.heal()
            for environment in self._environments.values():
                environment.timeout = TIMEOUT

    def prove(
        self, fault: Fault, phase: Phase, figure: Callable[[str], None]
    ) -> tuple[Invocations, Invocations]:
        """Live through a fault, and check what came of it: statuses, processes and counts.

        Returns the invocations that it struck, and those after it.
        """
        self.revive()
        pids = self.pids()
        warm = self.warm_up()
        assert {status(it) for it in warm.values()} == {200}, warm

        struck = self.live_through(fault, phase)
        after = self.warm_up()

        figure(", ".join(f"{operation} {it}" for operation, it in summary(struck).items()))
        for key, invocation in struck.items():
            assert status(invocation) in allowed(fault.outcome(phase), key[1]), (key, invocation)
        for key, invocation in after.items():
            assert status(invocation) == 200, (key, invocation)
        assert self.pids() == pids, "no environment was lost"
        self.check_counts()
        return struck, after

    def check_counts(self) -> None:
        """What was answered with 200 was done once, what wasn't, at most once."""
        database = self._cluster.database
        for event, answer in self._answers:
            operation, number = event["operation"], event["number"]
            done = status(answer) == 200
            if operation == "insert":
                counts = [database.inserted.count_documents({"number": number})]
            elif operation == "update_many":
                counts = [it["count"] for it in database.counters.find({"group": number})]
            else:
                continue
            assert set(counts) <= ({1} if done else {0, 1}), (operation, done, counts)
        self._answers.clear()

    def _events(self) -> dict[Key, dict[str, Any]]:
        """For each environment an event that nobody had before, with what it counts in."""
        events = {
            key: {"operation": key[1], "number": next(_numbers)} for key in self._environments
        }
        self._cluster.database.counters.insert_many(
            {"group": event["number"], "count": 0}
            for event in events.values()
            for _ in range(DOCUMENTS)
        )
        return events

    def _invoke(
        self, events: dict[Key, dict[str, Any]], during: Callable[[], None] = lambda: None
    ) -> Invocations:
        """Invoke all at once and meanwhile do something."""
        futures = {
            key: self._pool.submit(self._environments[key].invoke, event)
            for key, event in events.items()
        }
        try:
            during()
        finally:
            answers = {key: future.result() for key, future in futures.items()}
        self._answers += [(events[key], answer) for key, answer in answers.items()]
        return answers

    def _strike_meanwhile(self, fault: Fault, events: dict[Key, dict[str, Any]]) -> Invocations:
        """Invoke all at once, and strike when every operation is under way."""
        if fault.on_the_way is None:
            fault.strike(self._cluster)
            return self._invoke(events)
        primary = self._cluster.primary
        before = executed(primary)
        self._cluster.proxy(primary).hold(fault.on_the_way)

        def all_executed() -> bool:
            return all(executed(primary)[it] - before[it] >= len(LAYOUTS) for it in OPERATIONS)

        def strike() -> None:
            if fault.on_the_way == "replies":
                wait_until(all_executed, "execution of every operation", fault.timeout)
            else:
                time.sleep(0.2)  # for the requests to be on the way; nothing shows when
            fault.strike(self._cluster)

        return self._invoke(events, strike)


@contextmanager
def fleet(
    cluster: Cluster, deployed: Callable[..., Deployed], canaries: Canaries, **options: str
) -> Iterator[Fleet]:
    """One environment for each operation and way to sign in. The options are added to the URI."""
    cluster.database.fixed.replace_one({"_id": "answer"}, {"value": 42}, upsert=True)
    cluster.create_index("counters", "group")
    cluster.create_index("inserted", "number")
    environments = {}
    with ExitStack() as stack:
        for auth, layout in LAYOUTS.items():
            project = deployed(layout=layout, auth=auth)
            added = {"heartbeatFrequencyMS": "500", **options}
            variables = project.variables(cluster.atlas.host, **added)
            variables |= cluster.environment | cluster.sign_in(auth)
            for operation in OPERATIONS:
                environments[auth, operation] = stack.enter_context(
                    WatchedEnvironment(
                        project.code,
                        project.operations,
                        variables | {"LAB_MAX_IDLE": str(MAX_IDLE)},
                        canaries=canaries,
                        hosts=cluster.hosts,
                    )
                )
        yield Fleet(environments, cluster)


def executed(member: Mongod) -> dict[str, int]:
    """How often the member has carried out each operation."""
    commands = member.admin.admin.command("serverStatus")["metrics"]["commands"]
    return {it: commands[COMMANDS.get(it, it)]["total"] for it in OPERATIONS}


def status(invocation: Invocation) -> int | None:
    """What the handler answered; None if it raised or was ended."""
    return None if invocation.error else invocation.response["statusCode"]


def allowed(outcome: Outcome, operation: str) -> set[int]:
    """The statuses that an outcome has for an operation."""
    if outcome == "none succeeds":
        return {503}
    must_succeed = {
        "all succeed": OPERATIONS,
        "retryable succeed": RETRYABLE,
        "reads succeed": READS,
        "any": (),
    }
    return {200} if operation in must_succeed[outcome] else {200, 503}


def summary(invocations: Invocations) -> dict[str, str]:
    """Statuses and median milliseconds of each operation."""
    cells = {}
    for operation in OPERATIONS:
        found = [it for key, it in invocations.items() if key[1] == operation]
        statuses = "/".join(sorted({str(status(it)) for it in found}))
        milliseconds = 1000 * statistics.median(it.seconds for it in found)
        cells[operation] = f"{statuses} in {milliseconds:,.0f} ms"
    return cells
