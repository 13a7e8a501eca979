"""Projects' own tests where people run them: their shells, servers, users, folders, monorepos."""

import os
import re
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.conftest import Baker
from tests.support.baking import TIDY, BakedProject
from tests.support.certificates import Authority
from tests.support.mongod import Mongod, Tls

pytestmark = pytest.mark.slow

NOBODY = "http://127.0.0.1:9"
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
# What a developer's shell may have for other purposes.
SHELL = {
    **dict.fromkeys(PROXIES, NOBODY),
    **{name.lower(): NOBODY for name in PROXIES},
    "AWS_CA_BUNDLE": "/nonexistent/ca.pem",
    "AWS_DEFAULT_REGION": "mars-east-1",
    "AWS_ENDPOINT_URL": NOBODY,
    "AWS_ENDPOINT_URL_SECRETS_MANAGER": NOBODY,
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_LAMBDA_LOG_LEVEL": "FATAL",
    "AWS_PROFILE": "nobody",
    "AWS_REGION": "mars-east-1",
    "LC_ALL": "C",
    "LOG_LEVEL": "CRITICAL",
    "MONGODB_DATABASE": "production",
    "MONGODB_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:none",
    "POWERTOOLS_DEV": "true",
    "POWERTOOLS_LOGGER_LOG_EVENT": "true",
    "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    "POWERTOOLS_METRICS_DISABLED": "true",
    "POWERTOOLS_METRICS_NAMESPACE": "Others",
    "POWERTOOLS_SERVICE_NAME": "others",
    "POWERTOOLS_TRACE_DISABLED": "true",
    "PYTHONOPTIMIZE": "1",
    "REQUESTS_CA_BUNDLE": "/nonexistent/ca.pem",
    "TZ": "Asia/Kathmandu",
}
INFRA = "--ignore-glob=/*/test_infra.py"  # needs Node.js, and no MongoDB: see test_projects.py


def run(
    folder: Path, *arguments: str, uri: str, env: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Run pytest in a folder; return its status, and what it says."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, **TIDY, "MONGODB_URI": uri, **(env or {})},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def databases(mongod: Mongod) -> set[str]:
    return set(mongod.admin.list_database_names())


@pytest.mark.parametrize(
    "answers",
    [
        {"layout": "single", "auth": "iam"},
        {"layout": "multi", "auth": "password"},
        {"layout": "multi-lambda", "auth": "password", "iac": "cdk"},
    ],
    ids=lambda answers: "/".join(answers.values()),
)
def test_nothing_of_the_shell_matters(
    answers: dict[str, str], baked: Baker, mongod: Mongod, tmp_path: Path
) -> None:
    """Nor does anything stay open or behind: each warning is an error."""
    (tmp_path / "malformed").write_text("[default\n")
    files = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "BOTO_CONFIG")
    env = {**SHELL, **dict.fromkeys(files, str(tmp_path / "malformed")), "HOME": str(tmp_path)}
    before = databases(mongod)

    arguments = ("-W", "error", "-m", "pytest", "-q", INFRA)
    status, output = run(baked(**answers).path, *arguments, uri=mongod.uri, env=env)

    assert status == 0, output
    assert " passed" in output
    assert "skipped" not in output
    assert databases(mongod) == before


def test_options_of_the_uri_are_kept(baked: Baker, tmp_path: Path) -> None:
    """With TLS, a password with a colon and an at sign, and a database of the URI's own."""
    authority = Authority(tmp_path)
    certificate = authority.issue("mongod.pem", ["localhost"])
    with Mongod(auth=True, tls=Tls(certificate, authority.file)) as mongod:
        password = "a:b@c/"  # noqa: S105
        roles = [{"role": "root", "db": "admin"}]
        mongod.admin["accounts"].command("createUser", "dev", pwd=password, roles=roles)
        options = f"tls=true&tlsCAFile={authority.file}&authSource=accounts&appName=a%20b"
        user = f"dev:{quote(password, safe='')}"
        uri = f"mongodb://{user}@{mongod.address}/elsewhere?{options}"
        project = baked(layout="multi", auth="password")
        status, output = run(project.path, "-m", "pytest", "-q", INFRA, uri=uri)

    assert status == 0, output
    assert "skipped" not in output


def test_a_user_without_administration_is_enough(baked: Baker, mongod: Mongod) -> None:
    """As Atlas's users are, who may neither drop databases nor create users."""
    before = databases(mongod)
    name = password = f"writer-{uuid.uuid4().hex[:8]}"
    roles = ["readWriteAnyDatabase"]
    mongod.admin.admin.command("createUser", name, pwd=password, roles=roles)
    project = baked(layout="multi", auth="password")
    uri = mongod.uri_for(name, password)
    status, output = run(project.path, "-m", "pytest", "-q", INFRA, uri=uri)

    assert status == 0, output
    assert "MONGODB_URI may not create users" in output
    assert databases(mongod) == before


REFUSED = "MongoDB refuses the login: MONGODB_URI must have a username and its password."


@pytest.mark.parametrize(
    ("user", "sentence"),
    [
        (None, REFUSED),
        ("nobody", REFUSED),
        (
            "one",
            "The user in MONGODB_URI may not write to the tests' own database, as one with "
            "readWriteAnyDatabase may: MongoDB's error 13.",
        ),
    ],
)
def test_says_before_the_first_test_that_a_user_will_not_do(
    user: str | None, sentence: str, baked: Baker, mongod: Mongod
) -> None:
    mongod.create_user("one", "hunter2", "only")
    uri = mongod.uri_for(user, "hunter2") if user else f"mongodb://{mongod.address}/"
    status, output = run(baked(layout="multi").path, "-m", "pytest", "-q", uri=uri)

    assert status == 1
    assert output.count(sentence) == 1
    assert "no tests ran" in output
    assert "Traceback" not in output
    assert "hunter2" not in output


@pytest.mark.parametrize(
    ("mode", "iac"),
    [
        ("prepend", "sam"),
        ("append", "cdk"),
        ("importlib", "cdk"),
        pytest.param("prepend", "cdk", marks=pytest.mark.long),
        pytest.param("append", "sam", marks=pytest.mark.long),
        pytest.param("importlib", "sam", marks=pytest.mark.long),
    ],
)
def test_they_run_from_any_folder_by_any_import_mode(
    mode: str, iac: str, baked: Baker, mongod: Mongod, tmp_path: Path
) -> None:
    project = baked(layout="multi-lambda", iac=iac)
    arguments = ("-m", "pytest", "-q", INFRA, f"--import-mode={mode}", str(project.path))
    status, output = run(tmp_path, *arguments, uri=mongod.uri)

    assert status == 0, output
    assert " passed" in output


# A monorepo's own settings, or none: then pytest takes those of the first project.
ROOT = """
[tool.pytest.ini_options]
addopts = "--import-mode=importlib"
pythonpath = ["common"]
"""


@pytest.mark.parametrize("root", ["", ROOT], ids=["settings of a project", "settings of the root"])
def test_they_run_beside_those_of_other_services(
    root: str, baked: Baker, mongod: Mongod, tmp_path: Path
) -> None:
    """Also if those have modules by the names of the project's own scripts."""
    services = [
        baked(layout="multi", auth="password", project_slug="first-service"),
        baked(layout="multi-lambda", auth="password", iac="cdk", project_slug="second-service"),
    ]
    if root:
        (tmp_path / "pyproject.toml").write_text(root)
        (tmp_path / "common").mkdir()
        for name in ("mongodb", "local", "routes"):
            (tmp_path / f"common/{name}.py").write_text("OTHER = 1\n")
        (tmp_path / "other/tests").mkdir(parents=True)
        (tmp_path / "other/tests/test_items.py").write_text(
            "import mongodb\n\n\ndef test_other():\n    assert mongodb.OTHER == 1\n"
        )
    for service in services:
        (tmp_path / service.path.name).symlink_to(service.path)
    names = [service.path.name for service in services] + (["other"] if root else [])

    status, output = run(tmp_path, "-m", "pytest", "-q", INFRA, *names, uri=mongod.uri)

    assert status == 0, output
    [passed] = re.findall(r"(\d+) passed", output)
    assert int(passed) == sum(map(number_of_tests, services)) + bool(root)


def number_of_tests(project: BakedProject) -> int:
    arguments = ("-m", "pytest", "-q", INFRA, "--collect-only")
    _, output = run(project.path, *arguments, uri="mongodb://127.0.0.1:9")
    [collected] = re.findall(r"(\d+) tests? collected", output)
    return int(collected)
