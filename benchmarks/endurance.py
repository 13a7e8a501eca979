"""A long life: 100,000 warm invocations, frozen and cut off now and then."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.artefact import rounds
from tests.lab.deployed import deploy
from tests.lab.endurance import TOLERANCE, live

INVOCATIONS = 100_000


def measure() -> dict[str, Any]:
    """Compare the means of the first and the last tenth; nothing may grow."""
    with TemporaryDirectory(prefix="benchmark-") as folder:
        life = live(deploy(Path(folder), layout="multi", auth="iam"), rounds(INVOCATIONS))
    life.check()
    first, last = life.tenths
    alone = life.tenths_alone
    return {
        "unit": "mean of a tenth of the samples",
        "counts": {
            "invocations": life.invocations,
            "freezes": life.freezes,
            **{f"times {fault}": number for fault, number in life.faults.items()},
        },
        "answers": {str(status): number for status, number in sorted(life.statuses.items())},
        "rows": {
            name: {"first tenth": round(first[name], 2), "last tenth": round(last[name], 2)}
            for name in TOLERANCE
        }
        | {
            "memory of the runtime client alone, MB": {
                "first tenth": round(alone[0]["memory, MB"], 2),
                "last tenth": round(alone[1]["memory, MB"], 2),
            }
        },
        "samples": {name: [round(it[name], 1) for it in life.samples] for name in TOLERANCE},
        "alone": [round(it["memory, MB"], 1) for it in life.alone],
    }
