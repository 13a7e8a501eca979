"""Storms: all environments sign in at once, when they start, after a failover, after a restart."""

import random
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.artefact import SHARE
from tests.lab.cluster import Auth
from tests.lab.deployed import deploy
from tests.lab.storms import Coast, Storm, coast
from tests.support.crowd import Crowd

ENVIRONMENTS = 200
AUTHS: tuple[Auth, ...] = ("iam", "password")
SPREADS: dict[str, dict[str, str]] = {
    "not spread": {"LAB_RETRY_AFTER": "5"},
    "callers spread": {},  # as the template has it
    "connections spread, too": {"LAB_SPREAD": "2"},
}
STORMS: dict[str, Callable[[Coast, Crowd], Storm]] = {
    "start": Coast.start,
    "failover": Coast.failover,
    "restart of all nodes": Coast.restart,
}


def measure() -> dict[str, Any]:
    """What callers and the primary see of each, with and without what spreads it."""
    number = max(int(ENVIRONMENTS * SHARE), 4)
    found: dict[str, Storm] = {}
    with TemporaryDirectory(prefix="storms-") as folder, coast() as cluster:
        for auth in AUTHS:
            project = deploy(Path(folder, auth), layout="multi", auth=auth)
            for spread in random.sample(list(SPREADS), len(SPREADS)):
                with cluster.crowd(project, auth, number, SPREADS[spread]) as crowd:
                    for name, storm in STORMS.items():
                        found[f"{auth}, {name}: {spread}"] = storm(cluster, crowd)
    order = [f"{auth}, {it}: {spread}" for auth in AUTHS for it in STORMS for spread in SPREADS]
    return {
        "unit": "seconds, and logins and connections of the primary",
        "rows": {
            name: row(found[name], found[f"{name.partition(':')[0]}: not spread"]) for name in order
        },
        "logins": {name: found[name].per_second() for name in order},
    }


def row(storm: Storm, not_spread: Storm) -> dict[str, Any]:
    """One storm's figures, compared with the same that isn't spread."""
    return {
        "environments": len(storm.calls),
        "half have 200 after": round(storm.until(0.5), 1),
        "all": round(storm.until(1), 1),
        "ratio to not spread": round(storm.until(1) / not_spread.until(1), 2),
        "503": f"{storm.share_unavailable:.0%}",
        "logins": len(storm.logins),
        "most in a second": storm.peak_logins,
        "connections at most": storm.peak_connections,
    }
