"""Cold starts: from the start of the process to the first answer from the database.

With all of this machine's CPU, and with the share that Lambda gives with the template's memory.
"""

import json
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.artefact import built, paired_ratio, rounds, spread, without_bytecode
from tests.support.atlas import Atlas
from tests.support.baking import OPTIONS, TEMPLATE
from tests.support.execution_environment import ExecutionEnvironment
from tests.support.local_aws import LocalAws

ROUNDS = 15
IAM = "?authMechanism=MONGODB-AWS&authSource=%24external"
EVENT = {"version": "2.0", "routeKey": "GET /"}


Variants = dict[str, tuple[Path, str, dict[str, Any]]]
"""Folder of the code, handler and event by name, with one named `ALONE`."""

ALONE = "runtime client alone"


def measure() -> dict[str, Any]:
    """Milliseconds, the variants in turn, over SRV, TLS and authentication."""
    return compare(variants_of, "least code", cpu_limited=False)


def measure_limited() -> dict[str, Any]:
    """The same with a share of CPU. Raises NoCpuShareError where there are no cgroups for it."""
    return compare(variants_of, "least code", cpu_limited=True)


def compare(
    variants_of: Callable[[str, ExitStack], Variants], base: str, *, cpu_limited: bool
) -> dict[str, Any]:
    """Compare the variants for either auth with the one that is named `base`."""
    rows = {}
    with Atlas() as atlas, LocalAws() as aws:
        for auth in OPTIONS["auth"]:
            variables = atlas.environment | variables_for(auth, atlas, aws)
            with ExitStack() as stack:
                times = start_each(variants_of(auth, stack), variables, cpu_limited)
            spreads = {name: spread(values) for name, values in times.items()}
            for name, row in spreads.items():
                row[f"ratio to {base}"] = paired_ratio(times[name], times[base])
                if name != ALONE:
                    above = row["median"] - spreads[ALONE]["median"]
                    row["above the runtime client"] = round(above, 1)
                rows[f"{auth}: {name}"] = row
    return {"unit": "ms", "rows": rows}


def start_each(
    variants: Variants, variables: dict[str, str], cpu_limited: bool
) -> dict[str, list[float]]:
    """Return by name what each start took to its first answer, the variants in changing order."""
    times: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(rounds(ROUNDS)):
        order = list(variants.items())[:: -1 if number % 2 else 1]
        for name, (code, handler, event) in order:
            start = time.perf_counter()
            with ExecutionEnvironment(
                code, handler, variables, cpu_limited=cpu_limited
            ) as environment:
                invocation = environment.invoke(event)
                times[name].append((time.perf_counter() - start) * 1000)
                assert invocation.error is None, invocation.logs
                assert invocation.response["statusCode"] == 200, invocation.logs
    return times


def variants_of(auth: str, stack: ExitStack) -> Variants:
    """Ours, less, and what is usual."""
    project, code = stack.enter_context(built(layout="single", auth=auth))
    folder = stack.enter_context(TemporaryDirectory())
    ours, least = f"{project.package}.app.handler", f"least_{auth}.handler"
    plain = without_bytecode(project, Path(folder, "plain"))
    usual = with_pydantic(plain, Path(folder, "usual"))
    return {
        ALONE: (code, "nothing.handler", EVENT),
        "ours": (code, ours, EVENT),
        "least code": (code, least, EVENT),
        "ours, no bytecode": (plain, ours, EVENT),
        "least code, no bytecode": (plain, least, EVENT),
        "usual shape, no bytecode": (usual, "usual.handler", EVENT),
    }


def variables_for(auth: str, atlas: Atlas, aws: LocalAws) -> dict[str, str]:
    """Return what a function needs to sign in."""
    common = {"MONGODB_DATABASE": "app", "POWERTOOLS_SERVICE_NAME": "benchmark"}
    if auth == "iam":
        key, secret, token = (uuid.uuid4().hex for _ in range(3))
        atlas.add_role(f"arn:aws:iam::123456789012:role/{key}", key, secret, token, "app")
        return common | {
            "MONGODB_URI": f"mongodb+srv://{atlas.host}/{IAM}",
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_SESSION_TOKEN": token,
        }
    user = {"username": "benchmark", "password": uuid.uuid4().hex}
    atlas.add_user(user["username"], user["password"], "app")
    created = aws.client("secretsmanager").create_secret(Name="b", SecretString=json.dumps(user))
    return common | {
        "MONGODB_URI": f"mongodb+srv://{atlas.host}/",
        "MONGODB_SECRET_ARN": created["ARN"],
        **aws.environment,
        "AWS_SESSION_TOKEN": "",  # the account's administrator is a user, without a session
    }


def with_pydantic(code: Path, copy: Path) -> Path:
    """Copy the folder and add pydantic, uncompiled, as others' builds leave it."""
    shutil.copytree(code, copy)
    uv = str(TEMPLATE / ".tools/uv/bin/uv")
    command = [uv, "pip", "install", "--quiet", "--target", str(copy), "--python", sys.executable]
    constraint = ["--constraint", str(TEMPLATE / "requirements/dev.txt")]
    subprocess.run([*command, *constraint, "pydantic"], check=True)
    return copy
