"""Size of the artefact, time of a bake, memory of an execution environment."""

import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.artefact import built, spread, without_bytecode
from tests.support.baking import TEMPLATE
from tests.support.execution_environment import ExecutionEnvironment
from tests.support.mongod import Mongod

ROUNDS = 10
MB = 1_000_000


def measure() -> dict[str, Any]:
    rows: dict[str, Any] = {}
    for auth in ("iam", "password"):
        with built(layout="single", auth=auth) as (project, code), Mongod() as mongod:
            with TemporaryDirectory() as folder:
                plain = without_bytecode(code, Path(folder, "plain"))
                rows[f"artefact, {auth}, MB zipped"] = zipped(code)
                rows[f"artefact, {auth}, MB zipped, no bytecode"] = zipped(plain)
            variables = {"MONGODB_URI": mongod.uri, "MONGODB_DATABASE": "app"}
            handler = f"{project.package}.app.handler"
            with ExecutionEnvironment(code, handler, variables) as environment:
                assert environment.invoke({}).error is None
                rows[f"resident memory, {auth}, MB"] = resident(environment.pid)
    with TemporaryDirectory() as folder:
        rows |= bakes(Path(folder))
    return {"unit": "", "rows": rows}


def zipped(code: Path) -> float:
    """Return the size of the folder as Lambda receives it."""
    with TemporaryDirectory() as folder:
        archive = shutil.make_archive(str(Path(folder, "code")), "zip", code)
        return round(Path(archive).stat().st_size / MB, 1)


def resident(pid: int) -> float:
    """Return the resident set size of a process."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return round(int(line.split()[1]) * 1024 / MB, 1)


def bakes(folder: Path) -> dict[str, Any]:
    """Seconds for the command `cookiecutter`, our template and an empty one in turn."""
    empty = folder / "empty"
    (empty / "{{cookiecutter.name}}").mkdir(parents=True)
    (empty / "cookiecutter.json").write_text('{"name": "x"}', "utf-8")
    times: dict[str, list[float]] = {"bake, seconds": [], "bake of an empty template, seconds": []}
    for number in range(ROUNDS):
        for template, values in zip((TEMPLATE, empty), times.values(), strict=True):
            output = ["--no-input", "--output-dir", str(folder / str(number))]
            command = [sys.executable, "-m", "cookiecutter", str(template), *output]
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            values.append(time.perf_counter() - start)
    rows: dict[str, Any] = {name: spread(values) for name, values in times.items()}
    ours, theirs = (row["median"] for row in rows.values())
    rows["bake, ratio to an empty template"] = round(ours / theirs, 2)
    return rows
