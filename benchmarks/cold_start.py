"""Cold starts: from the start of the process to the first answer from the database.

With all of this machine's CPU, and with the share that Lambda gives with the template's memory.
"""

import json
import subprocess
import sys
import time
import uuid
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.artefact import built, paired_ratio, rounds, spread, without_bytecode
from tests.support.atlas import Atlas
from tests.support.baking import TEMPLATE
from tests.support.execution_environment import ExecutionEnvironment
from tests.support.local_aws import LocalAws

ROUNDS = 15
IAM = "?authMechanism=MONGODB-AWS&authSource=%24external"
EVENT = {"version": "2.0", "routeKey": "GET /"}


def measure() -> dict[str, Any]:
    """Milliseconds, the variants in turn, over SRV, TLS and authentication."""
    return measure_both(cpu_limited=False)


def measure_limited() -> dict[str, Any]:
    """The same with a share of CPU. Raises NoCpuShareError where there are no cgroups for it."""
    return measure_both(cpu_limited=True)


def measure_both(*, cpu_limited: bool) -> dict[str, Any]:
    """With either auth."""
    rows = {}
    with Atlas() as atlas, LocalAws() as aws:
        for auth in ("iam", "password"):
            variables = atlas.environment | variables_for(auth, atlas, aws)
            for name, row in measure_auth(auth, variables, cpu_limited).items():
                rows[f"{auth}: {name}"] = row
    return {"unit": "ms", "rows": rows}


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


def measure_auth(auth: str, variables: dict[str, str], cpu_limited: bool) -> dict[str, Any]:
    with built(layout="single", auth=auth) as (project, code), TemporaryDirectory() as folder:
        ours, least = f"{project.package}.app.handler", f"least_{auth}.handler"
        plain = without_bytecode(code, Path(folder, "plain"))
        usual = with_pydantic(plain, Path(folder, "usual"))
        variants = {
            "runtime client alone": (code, "nothing.handler"),
            "ours": (code, ours),
            "least code": (code, least),
            "ours, no bytecode": (plain, ours),
            "least code, no bytecode": (plain, least),
            "usual shape, no bytecode": (usual, "usual.handler"),
        }
        times: dict[str, list[float]] = {name: [] for name in variants}
        for number in range(rounds(ROUNDS)):
            order = list(variants.items())[:: -1 if number % 2 else 1]
            for name, (where, handler) in order:
                start = time.perf_counter()
                with ExecutionEnvironment(
                    where, handler, variables, cpu_limited=cpu_limited
                ) as environment:
                    invocation = environment.invoke(EVENT)
                    times[name].append((time.perf_counter() - start) * 1000)
                    assert invocation.error is None, invocation.logs
                    assert invocation.response["statusCode"] == 200, invocation.logs
    rows = {name: spread(values) for name, values in times.items()}
    nothing = rows["runtime client alone"]["median"]
    for name, row in rows.items():
        row["ratio to least code"] = paired_ratio(times[name], times["least code"])
        if name != "runtime client alone":
            row["above the runtime client"] = round(row["median"] - nothing, 1)
    return rows


def with_pydantic(code: Path, copy: Path) -> Path:
    """Copy the folder and add pydantic, uncompiled, as others' builds leave it."""
    without_bytecode(code, copy)
    uv = str(TEMPLATE / ".tools/uv/bin/uv")
    command = [uv, "pip", "install", "--quiet", "--target", str(copy), "--python", sys.executable]
    constraint = ["--constraint", str(TEMPLATE / "requirements/dev.txt")]
    subprocess.run([*command, *constraint, "pydantic"], check=True)
    return copy
