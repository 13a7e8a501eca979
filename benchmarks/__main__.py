"""Run benchmarks and write results/NAME.json, their tables and the README's figures.

python -m benchmarks [NAME ...]
"""

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import (
    cold_start,
    connections,
    endurance,
    faults,
    init_profile,
    layouts,
    report,
    rotation,
    size,
    snapstart,
    storms,
    warm,
)
from tests.support.baking import TEMPLATE
from tests.support.cpu_share import NoCpuShareError

RESULTS = Path(__file__).parent / "results"
BENCHMARKS: dict[str, Callable[[], dict[str, Any]]] = {
    "warm": warm.measure,
    "cold_start": cold_start.measure,
    "cold_start_512_mb": cold_start.measure_limited,
    "init_profile": init_profile.measure,
    "layouts": layouts.measure,
    "layouts_512_mb": layouts.measure_limited,
    "routes": layouts.measure_warm,
    "snapstart": snapstart.measure,
    "snapstart_512_mb": snapstart.measure_limited,
    "snapshots": snapstart.measure_differences,
    "connections": connections.measure,
    "storms": storms.measure,
    "size": size.measure,
    "bakes": size.measure_bakes,
    "faults": faults.measure,
    "rotation": rotation.measure,
    "endurance": endurance.measure,
}


def machine() -> dict[str, Any]:
    """Say where the figures come from."""
    return {
        "cores": os.cpu_count(),
        "processor": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d"),
    }


def main(names: list[str]) -> None:
    RESULTS.mkdir(exist_ok=True)
    for name in names or BENCHMARKS:
        start = time.monotonic()
        sys.stdout.write(f"{name} … ")
        sys.stdout.flush()
        try:
            result = BENCHMARKS[name]()
        except NoCpuShareError as error:
            sys.stdout.write(f"left out: {error}\n")
            continue
        seconds = round(time.monotonic() - start)
        document = {"machine": machine(), "seconds": seconds, **result}
        (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n", "utf-8")
        sys.stdout.write(f"{seconds} s\n")
    report.write(RESULTS, TEMPLATE / "README.md")


if __name__ == "__main__":
    main(sys.argv[1:])
