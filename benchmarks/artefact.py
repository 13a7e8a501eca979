"""What is measured: the built artefact of a bake, and other handlers beside it."""

import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.support.baking import BakedProject, bake
from tests.support.here import HERE, build

HANDLERS = Path(__file__).parent / "handlers"
SHARE = float(os.environ.get("BENCH_SHARE", "1"))


def rounds(number: int) -> int:
    """How often to measure: a share of it to try things out, such as BENCH_SHARE=0.1."""
    return max(int(number * SHARE), 3)


@contextmanager
def built(**answers: str) -> Iterator[tuple[BakedProject, Path]]:
    """Yield a project for this machine and the folder that its build script has filled.

    The handlers to compare with lie in the folder too, precompiled like everything else.
    """
    with TemporaryDirectory(prefix="benchmark-") as folder:
        project = bake(Path(folder), **HERE, **answers)
        code = Path(folder, "code")
        build(project, code)
        for handler in HANDLERS.glob("*.py"):
            shutil.copy(handler, code)
        compile_all(code)
        yield project, code


def compile_all(code: Path) -> None:
    """Precompile as the build script does."""
    command = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    subprocess.run([*command, str(code)], check=True)


def without_bytecode(project: BakedProject, folder: Path) -> Path:
    """Fill the folder as a build does that finds no Python to compile with."""
    none = {"UV_PYTHON_INSTALL_DIR": str(folder / "none"), "UV_PYTHON_PREFERENCE": "only-managed"}
    build(project, folder, **none, UV_PYTHON_DOWNLOADS="never")
    for handler in HANDLERS.glob("*.py"):
        shutil.copy(handler, folder)
    return folder


def spread(values: list[float]) -> dict[str, Any]:
    """Sum up measurements: median, the middle half, and the 99th percentile."""
    ordered = sorted(values)

    def at(share: float) -> float:
        return round(ordered[min(int(share * len(ordered)), len(ordered) - 1)], 4)

    return {
        "n": len(ordered),
        "median": at(0.5),
        "quartiles": [at(0.25), at(0.75)],
        "p99": at(0.99),
    }


def paired_ratio(ours: list[float], theirs: list[float]) -> float:
    """The median of the ratios of what was measured one after the other.

    What slows the machine for a while slows both.
    """
    return round(statistics.median(it / other for it, other in zip(ours, theirs, strict=True)), 2)
