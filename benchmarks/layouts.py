"""Layouts: what their libraries cost at a cold start, and in a warm invocation."""

import io
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bson import ObjectId
from pymongo import MongoClient

from benchmarks.artefact import built, paired_ratio, rounds, spread, without_bytecode
from benchmarks.cold_start import ALONE, Variants, compare
from tests.lab.deployed import request
from tests.support.baking import OPTIONS, TEMPLATE, BakedProject
from tests.support.execution_environment import ExecutionEnvironment
from tests.support.here import HERE, build
from tests.support.mongod import Mongod

WARM_ROUNDS = 3_000

HAND_WRITTEN = "62057961e04bdc96c71f6050ff97e9211591abe9"
"""The last commit in which multi's routing and validation were written by hand."""

FRAMEWORKS = ("multi", "web")
"""Layouts that stand for what their functions' routes are written with."""


def measure() -> dict[str, Any]:
    """Milliseconds from the start of the process to the first answer, the layouts in turn."""
    return compare(variants_of, "multi by hand", cpu_limited=False)


def measure_limited() -> dict[str, Any]:
    """The same with a share of CPU. Raises NoCpuShareError where there are no cgroups for it."""
    return compare(variants_of, "multi by hand", cpu_limited=True)


def variants_of(auth: str, stack: ExitStack) -> Variants:
    """Each layout, the same by hand, and as the documentation of its libraries has it."""
    folder = Path(stack.enter_context(TemporaryDirectory(prefix="benchmark-")))
    found: Variants = {}
    project, code = stack.enter_context(hand_written(auth))
    found["multi by hand"] = (code, f"{project.package}.app.handler", request("GET /items"))
    found[ALONE] = (code, "nothing.handler", request("GET /items"))
    for layout in OPTIONS["layout"]:
        project, code = stack.enter_context(built(layout=layout, auth=auth))
        module = "functions.list_items" if layout == "multi-lambda" else "app"
        event = request("GET /" if layout == "single" else "GET /items")
        found[f"ours, {layout}"] = (code, f"{project.package}.{module}.handler", event)
        if layout in FRAMEWORKS:
            plain = without_bytecode(project, folder / layout)
            handler = f"documented_{layout}.handler"
            found[f"{layout} as documented, no bytecode"] = (plain, handler, event)
    return found


@contextmanager
def hand_written(auth: str) -> Iterator[tuple[BakedProject, Path]]:
    """Yield the same service before its routing and validation were a library's."""
    command = ["git", "-C", str(TEMPLATE), "archive", HAND_WRITTEN]
    archive = subprocess.run(command, capture_output=True, check=True).stdout
    with TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(folder / "template", filter="data")
        answers = {"project_slug": "by-hand", "layout": "multi", "auth": auth, **HERE}
        given = [f"{name}={value}" for name, value in answers.items()]
        bake = [sys.executable, "-m", "cookiecutter", str(folder / "template"), "--no-input"]
        subprocess.run([*bake, "--output-dir", name, *given], check=True, capture_output=True)
        project = BakedProject(folder / "by-hand", answers)
        build(project, folder / "code")
        nothing = Path(__file__).parent / "handlers/nothing.py"
        (folder / "code/nothing.py").write_bytes(nothing.read_bytes())
        yield project, folder / "code"


def measure_warm() -> dict[str, Any]:
    """Milliseconds for one item by its id, within the process, over plain TCP."""
    rows: dict[str, dict[str, Any]] = {}
    with Mongod() as mongod:
        item = ObjectId()
        with MongoClient[dict[str, Any]](mongod.uri) as client:
            mug = {"sku": "MUG", "name": "Mug", "quantity": 1, "created_at": datetime.now(UTC)}
            client.app.items.insert_one({"_id": item, **mug})
        for layout in FRAMEWORKS:
            with built(layout=layout, auth="iam") as (project, code):
                variables = {
                    "MONGODB_URI": mongod.uri,
                    "MONGODB_DATABASE": "app",
                    "POWERTOOLS_SERVICE_NAME": "benchmark",
                    "PACKAGE": project.package,
                    "ITEM": str(item),
                }
                names = ["ours", "empty route", "bare driver"]
                times: dict[str, list[float]] = {name: [] for name in names}
                with ExecutionEnvironment(code, "route_variants.handler", variables) as one:
                    for _ in range(rounds(WARM_ROUNDS)):
                        names.reverse()
                        for name in names:
                            invocation = one.invoke({"variant": name})
                            assert invocation.error is None, invocation.logs
                            times[name].append(invocation.response)
            for name, values in times.items():
                rows[f"{layout}: {name}"] = spread(values)
            both = [sum(it) for it in zip(times["empty route"], times["bare driver"], strict=True)]
            ratio = paired_ratio(times["ours"], both)
            rows[f"{layout}: ours"]["ratio to empty route and bare driver"] = ratio
    return {"unit": "ms", "rows": rows}
