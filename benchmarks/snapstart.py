"""SnapStart: from the restore of a snapshot to the first answer, and what a copy may find.

The same functions start cold, too, in turn, with all of this machine's CPU or a share of it. What
is warm then is compared as well: an invocation, memory, connections.
"""

import statistics
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.artefact import paired_ratio, rounds, spread
from benchmarks.size import resident
from tests.lab.cluster import Cluster
from tests.lab.deployed import deploy, request
from tests.lab.faults import LAYOUTS, status
from tests.lab.leaks import Canaries
from tests.lab.versions import DIFFERENCES, Version, published, restore
from tests.support.execution_environment import ExecutionEnvironment

ROUNDS = 15
WARM = 25  # invocations of each environment, after the first
EVENTS = {
    "single": request("GET /"),
    "multi": request("GET /items"),
    "web": request("GET /items"),
}


def measure() -> dict[str, Any]:
    """Milliseconds, over SRV, TLS and authentication."""
    return measure_all(cpu_limited=False)


def measure_limited() -> dict[str, Any]:
    """The same with a share of CPU. Raises NoCpuShareError where there are no cgroups for it."""
    return measure_all(cpu_limited=True)


def measure_all(*, cpu_limited: bool) -> dict[str, Any]:
    """Those layouts that differ in what they import, and either auth."""
    rows = {}
    canaries = Canaries()
    with TemporaryDirectory(prefix="snapstart-") as folder, Cluster(canaries) as cluster:
        for layout in EVENTS:
            for auth in LAYOUTS:
                place = Path(folder, f"{layout}-{auth}")
                project = deploy(place, layout=layout, auth=auth, snapstart="yes")
                handler = project.functions[0].handler
                with published(project, handler, cluster, auth, canaries, settings={}) as version:
                    for name, row in compare(version, EVENTS[layout], cpu_limited).items():
                        rows[f"{layout}, {auth}: {name}"] = row
    return {"unit": "ms", "rows": rows}


def compare(version: Version, event: Any, cpu_limited: bool) -> dict[str, Any]:
    """Start environments of a version both ways."""
    environment = partial(
        ExecutionEnvironment, version.project.code, version.handler, cpu_limited=cpu_limited
    )
    starts = {
        "cold start": partial(environment, version.variables | version.keys),
        "restored": partial(environment, snapshot=version.snapshot),
    }
    times: dict[str, list[float]] = {name: [] for name in starts}
    warm: dict[str, list[float]] = {name: [] for name in starts}
    memory: dict[str, list[float]] = {name: [] for name in starts}
    opened: dict[str, list[int]] = {name: [] for name in starts}
    for _ in range(rounds(ROUNDS)):
        for name, make in starts.items():
            before = sum(it.accepted for it in version.cluster.proxies)
            begin = time.perf_counter()
            with make() as started:
                invocation = started.invoke(event)
                times[name].append((time.perf_counter() - begin) * 1000)
                assert status(invocation) == 200, invocation
                others = [started.invoke(event).seconds * 1000 for _ in range(WARM)]
                warm[name].append(statistics.median(others))
                memory[name].append(resident(started.pid))
            opened[name].append(sum(it.accepted for it in version.cluster.proxies) - before)
    return {
        name: spread(values)
        | {
            "ratio to the cold start": paired_ratio(values, times["cold start"]),
            "warm invocation": round(statistics.median(warm[name]), 2),
            "its ratio": paired_ratio(warm[name], warm["cold start"]),
            "memory, MB": round(statistics.median(memory[name]), 1),
            "connections": max(opened[name]),
        }
        for name, values in times.items()
    }


def measure_differences() -> dict[str, Any]:
    """What has changed since the snapshot, and what then comes of the restore."""
    rows: dict[str, Any] = {}
    canaries = Canaries()
    with (
        TemporaryDirectory(prefix="snapshots-") as folder,
        Cluster(canaries) as small,
        Cluster(canaries, nodes=3) as large,
    ):
        projects = {
            auth: deploy(Path(folder, auth), layout=layout, auth=auth, snapstart="yes")
            for auth, layout in LAYOUTS.items()
        }
        for name, difference in DIFFERENCES.items():
            for auth in difference.auths:
                found = restore(difference, projects[auth], {1: small, 3: large}, auth, canaries)
                rows[f"{name}, {auth}"] = {
                    "restore": round(found.seconds * 1000),
                    "first response": status(found.first),
                    "its time": round(found.first.seconds * 1000),
                    "when all is well": status(found.then),
                }
    return {"unit": "ms", "rows": rows}
