"""Faults of the network and of nodes: what comes of each operation, and how long it takes."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.lab.cluster import Cluster
from tests.lab.deployed import Deployed, deploy
from tests.lab.faults import FAULTS, PHASES, fleet, status, summary
from tests.lab.leaks import Canaries


def measure() -> dict[str, Any]:
    """Statuses and median milliseconds, IAM and password together; none is asserted here."""
    canaries = Canaries()
    rows: dict[str, Any] = {}
    with TemporaryDirectory(prefix="faults-") as folder, Cluster(canaries, nodes=3) as cluster:

        def deployed(**answers: str) -> Deployed:
            return deploy(Path(folder, answers["auth"]), **answers)

        with fleet(cluster, deployed, canaries) as environments:
            for name, fault in FAULTS.items():
                for phase in PHASES:
                    rows[f"{name}, {phase}"] = summary(environments.live_through(fault, phase))
                    after = environments.warm_up()
                    assert {status(it) for it in after.values()} == {200}, name
    return {"unit": "ms", "rows": rows}
