"""INIT in parts: what each package and each step of connecting takes."""

import statistics
from contextlib import ExitStack
from itertools import product
from typing import Any

from benchmarks.artefact import built, rounds
from benchmarks.cold_start import variables_for
from tests.lab.deployed import request
from tests.support.atlas import Atlas
from tests.support.baking import OPTIONS
from tests.support.execution_environment import ExecutionEnvironment
from tests.support.local_aws import LocalAws

ROUNDS = 15
LAYOUTS = ("single", "multi", "web")
SMALL = 2.0  # milliseconds: what takes less in all variants is one row
SUMS = ("INIT", "first invocation")


def measure() -> dict[str, Any]:
    """Milliseconds, the median of each part, over SRV, TLS and authentication."""
    columns: dict[str, dict[str, float]] = {}
    with Atlas() as atlas, LocalAws() as aws, ExitStack() as stack:
        signs_in = {it: variables_for(it, atlas, aws) for it in OPTIONS["auth"]}
        starts = {}
        for layout, auth in product(LAYOUTS, OPTIONS["auth"]):
            project, code = stack.enter_context(built(layout=layout, auth=auth))
            profiled = {"PROFILED": f"{project.package}.app.handler"}
            variables = atlas.environment | signs_in[auth] | profiled
            event = request("GET /" if layout == "single" else "GET /items")
            starts[f"{layout}, {auth}"] = (code, variables, event)
        profiles: dict[str, list[dict[str, float]]] = {name: [] for name in starts}
        for _ in range(rounds(ROUNDS)):
            for name, start in starts.items():
                profiles[name].append(profile(*start))
        for name, found in profiles.items():
            parts = {part for it in found for part in it}
            columns[name] = {
                part: statistics.median(it.get(part, 0.0) for it in found) for part in parts
            }
    return {"unit": "ms", "rows": rows(columns)}


def profile(code: Any, variables: dict[str, str], event: Any) -> dict[str, float]:
    """Start an environment; return the milliseconds of each part."""
    with ExecutionEnvironment(code, "profiled.handler", variables) as environment:
        invocation = environment.invoke(event)
        assert invocation.error is None, invocation.logs
        assert invocation.response["statusCode"] == 200, invocation.logs
        parts: dict[str, float] = invocation.response["parts"]
        init = environment.init_seconds * 1000
        first = invocation.response["first invocation"]
        before = init - sum(parts.values())
    return {
        "Python, runtime client": before,
        **parts,
        **dict(zip(SUMS, (init, first), strict=True)),
    }


def rows(columns: dict[str, dict[str, float]]) -> dict[str, dict[str, Any]]:
    """A row for each part, the largest first, and the sums."""
    largest = {
        part: max(column.get(part, 0.0) for column in columns.values())
        for part in set().union(*columns.values()) - set(SUMS)
    }
    parts = sorted((it for it in largest if largest[it] >= SMALL), key=lambda it: -largest[it])

    def row(*parts: str) -> dict[str, float]:
        return {
            name: round(sum(column.get(part, 0.0) for part in parts), 1)
            for name, column in columns.items()
            if any(part in column for part in parts)
        }

    others = row(*(it for it in largest if largest[it] < SMALL))
    return {it: row(it) for it in parts} | {"others": others} | {it: row(it) for it in SUMS}
