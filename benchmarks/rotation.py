"""A single user whose password Secrets Manager rotates, every few seconds and under load."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.artefact import rounds
from tests.lab.cluster import Cluster
from tests.lab.deployed import deploy
from tests.lab.leaks import Canaries
from tests.lab.rotation import rotate_under_load

SECONDS = 240
EVERY, WINDOW = 10.0, 2.0
ENVIRONMENTS = 4


def measure() -> dict[str, Any]:
    """Counts of what was done, and the share of responses with 503."""
    canaries = Canaries()
    with TemporaryDirectory(prefix="rotation-") as folder, Cluster(canaries) as cluster:
        run = rotate_under_load(
            deploy(Path(folder), layout="multi", auth="password"),
            cluster,
            canaries,
            seconds=rounds(SECONDS),
            every=EVERY,
            window=WINDOW,
            environments=ENVIRONMENTS,
        )
    run.check()
    return {
        "unit": "how often",
        "rows": {
            "rotations": {"count": run.rotations},
            "environments started": {"count": run.environments},
            "responses with 200": {"count": run.statuses[200]},
            "responses with 503": {"count": run.statuses[503]},
            "share of 503": {"count": f"{run.share:.1%}"},
            "slowest 503": {"count": f"{run.slowest:.2f} s"},
            "logins refused": {"count": run.refused},
            "reads of the secret": {"count": run.reads},
        },
    }
