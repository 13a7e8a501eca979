"""Size of the artefact, memory of an execution environment, time of a bake."""

import json
import shutil
import subprocess
import sys
import time
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.artefact import built, paired_ratio, rounds, spread, without_bytecode
from tests.lab.deployed import request
from tests.support.baking import CORE, OPTIONS, TEMPLATE
from tests.support.execution_environment import ExecutionEnvironment
from tests.support.mongod import Mongod

ROUNDS = 20
MB = 1_000_000


def measure() -> dict[str, Any]:
    """Megabytes by layout and auth: the artefact as Lambda gets and keeps it, the process."""
    rows: dict[str, Any] = {}
    with Mongod() as mongod:
        for layout, auth in product(OPTIONS["layout"], OPTIONS["auth"]):
            rows[f"{layout}, {auth}"] = of_project(layout, auth, mongod.uri)
    return {"unit": "MB", "rows": rows}


def of_project(layout: str, auth: str, uri: str) -> dict[str, float]:
    with built(layout=layout, auth=auth) as (project, code), TemporaryDirectory() as folder:
        plain = without_bytecode(project, Path(folder, "plain"))
        variables = {"MONGODB_URI": uri, "MONGODB_DATABASE": "app"}
        module = "functions.list_items" if layout == "multi-lambda" else "app"
        handler = f"{project.package}.{module}.handler"
        with ExecutionEnvironment(code, handler, variables) as environment:
            invocation = environment.invoke(request("GET /items"))
            assert invocation.response["statusCode"] == 200, invocation.logs
            sizes = {
                "zipped": zipped(code),
                "zipped, no bytecode": zipped(plain),
                "unzipped": sum(it.stat().st_size for it in code.rglob("*") if it.is_file()) / MB,
                "memory of an environment": resident(environment.pid),
            }
    return {name: round(size, 1) for name, size in sizes.items()}


def zipped(code: Path) -> float:
    """Return the size of the folder as Lambda receives it."""
    with TemporaryDirectory() as folder:
        archive = shutil.make_archive(str(Path(folder, "code")), "zip", code)
        return Path(archive).stat().st_size / MB


def resident(pid: int) -> float:
    """Return the resident set size of a process."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024 / MB


def measure_bakes() -> dict[str, Any]:
    """Seconds for the command `cookiecutter`: our template, with its hooks and without, and an
    empty one in turn, and then each combination of the core options once."""
    rows: dict[str, Any] = {}
    with TemporaryDirectory() as folder:
        empty = Path(folder, "empty")
        (empty / "{{cookiecutter.name}}").mkdir(parents=True)
        (empty / "cookiecutter.json").write_text(json.dumps({"name": "x"}), "utf-8")
        variants = {
            "our template, defaults": [str(TEMPLATE)],
            "our template, hooks declined": [str(TEMPLATE), "--accept-hooks", "no"],
            "empty template": [str(empty)],
        }
        times: dict[str, list[float]] = {name: [] for name in variants}
        for _ in range(rounds(ROUNDS)):
            for name, arguments in variants.items():
                times[name].append(bake(*arguments))
        rows |= {name: spread(values) for name, values in times.items()}
        for name, row in rows.items():
            row["ratio to an empty template"] = paired_ratio(times[name], times["empty template"])
        combinations = {
            "/".join(values): bake(str(TEMPLATE), *map("=".join, zip(CORE, values, strict=True)))
            for values in product(*(OPTIONS[name] for name in CORE))
        }
    rows[f"our template, each of {len(combinations)} combinations"] = spread(
        list(combinations.values())
    )
    slowest = max(combinations, key=lambda it: combinations[it])
    rows[f"the slowest, {slowest}"] = {"n": 1, "median": round(combinations[slowest], 4)}
    return {"unit": "s", "rows": rows, "combinations": combinations}


def bake(*arguments: str) -> float:
    """Return how long the command takes."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "cookiecutter", "--no-input", "--output-dir", folder]
        start = time.perf_counter()
        subprocess.run([*command, *arguments], check=True, capture_output=True)
        return round(time.perf_counter() - start, 4)
