"""Each project, as baked: types, the project's own tests, its template."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Baker
from tests.support.baking import TEMPLATE, bake, combinations
from tests.support.mongod import Mongod, mongod_binary
from tests.support.once import Once

SAM = TEMPLATE / ".tools/sam/bin/sam"


@pytest.fixture(scope="session")
def mongod() -> Iterator[Mongod]:
    """A mongod with authentication."""
    with Mongod(auth=True) as server:
        yield server


@pytest.fixture(scope="session")
def mypy_cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What mypy learns of the libraries, once for all projects."""
    return str(tmp_path_factory.mktemp("mypy"))


# What the type checker and the projects' own tests look at.
CODE = ("src/", "tests/", "infra/", "pyproject.toml")


@pytest.mark.slow
@pytest.mark.parametrize("answers", combinations())
def test_passes_the_type_checker(
    answers: dict[str, str], baked: Baker, mypy_cache: str, once: Once
) -> None:
    project = baked(**answers)

    def mypy() -> None:
        project.run(sys.executable, "-m", "mypy", env={"MYPY_CACHE_DIR": mypy_cache})

    once.check(project, (*CODE, "scripts/"), mypy)


@pytest.mark.slow
@pytest.mark.parametrize("answers", combinations())
def test_passes_its_own_tests(
    answers: dict[str, str], baked: Baker, mongod: Mongod, once: Once
) -> None:
    project = baked(**answers)

    def own_tests() -> None:
        env = {"MONGODB_URI": mongod.uri}
        result = project.run(sys.executable, "-m", "pytest", "-q", env=env)
        assert "skipped" not in result.stdout, result.stdout

    once.check(project, CODE, own_tests)


@pytest.mark.slow
def test_its_own_tests_find_mongod_on_the_path(baked: Baker, tmp_path: Path) -> None:
    (tmp_path / "mongod").symlink_to(mongod_binary())
    env = {"MONGODB_URI": "", "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    result = baked().run(sys.executable, "-m", "pytest", "-q", env=env)

    assert " passed" in result.stdout


def test_its_own_tests_say_what_to_do_without_mongodb(baked: Baker, tmp_path: Path) -> None:
    env = {"MONGODB_URI": "", "PATH": str(tmp_path)}  # neither mongod nor Docker there

    result = baked().run(sys.executable, "-m", "pytest", "-q", env=env, check=False)

    assert result.returncode == 1
    sentence = "No MongoDB here: set MONGODB_URI, put mongod on the PATH or start Docker."
    assert result.stdout.count(sentence) == 1
    assert "Traceback" not in result.stdout + result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("answers", [*combinations("layout", "auth"), *combinations("network")])
def test_is_a_valid_sam_template(answers: dict[str, str], baked: Baker) -> None:
    env = {"SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "us-east-1"}
    baked(**answers).run(str(SAM), "validate", "--lint", env=env)


GUARD = "tests/test_client_placement.py"
BORROW = "        with mongodb.database(context) as db:"

# What somebody might write: replacements in src/<package>/<file>, and what the guard answers.
MISPLACEMENTS = {
    "direct": (
        "app.py",
        {BORROW: "        with Connection.from_environment().database(context) as db:"},
        "uses Connection inside a function",
    ),
    "aliased import": (
        "app.py",
        {
            "import Connection, Unavailable": "import Connection, Connection as C, Unavailable",
            BORROW: "        with C.from_environment().database(context) as db:",
        },
        "uses Connection inside a function",
    ),
    "aliased name": (
        "app.py",
        {
            "@logger": "Client = Connection\n\n\n@logger",
            BORROW: "        with Client.from_environment().database(context) as db:",
        },
        "uses Connection inside a function",
    ),
    "helper": (
        "app.py",
        {
            "@logger": "def connect() -> Connection:\n"
            "    return Connection.from_environment()\n\n\n@logger",
            BORROW: "        with connect().database(context) as db:",
        },
        "uses Connection inside a function",
    ),
    "lambda": (
        "app.py",
        {
            "@logger": "connect = lambda: Connection.from_environment()\n\n\n@logger",
            BORROW: "        with connect().database(context) as db:",
        },
        "uses Connection inside a function",
    ),
    "nested function": (
        "app.py",
        {
            "    try:": "    def connect() -> Connection:\n"
            "        return Connection.from_environment()\n\n    try:",
            BORROW: "        with connect().database(context) as db:",
        },
        "uses Connection inside a function",
    ),
    "async": (
        "app.py",
        {
            "@logger": "async def connect() -> object:\n"
            "    from pymongo import AsyncMongoClient\n"
            "    return AsyncMongoClient()\n\n\n@logger",
        },
        "uses AsyncMongoClient inside a function",
    ),
    "driver's client": (
        "app.py",
        {
            "import json": "import json\nimport pymongo as driver",
            BORROW: "        driver.MongoClient()\n" + BORROW,
        },
        "uses MongoClient inside a function",
    ),
    "by name": (
        "app.py",
        {
            "import json": "import json\nimport pymongo",
            BORROW: '        getattr(pymongo, "MongoClient")()\n' + BORROW,
        },
        "uses MongoClient inside a function",
    ),
    "client at module scope": (
        "app.py",
        {"@logger": "import pymongo\nclient = pymongo.MongoClient()\n\n\n@logger"},
        "uses MongoClient; only connection.py builds clients",
    ),
    "second connection": (
        "app.py",
        {"@logger": "other = Connection.from_environment()\n\n\n@logger"},
        "one module builds the Connection",
    ),
    "inside its owner": (
        "connection.py",
        {"            if self._client is None:\n": "            if True:\n"},
        "built 1 MongoClient during its invocation",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MISPLACEMENTS)
def test_the_guard_finds_a_misplaced_client(
    name: str, baked: Baker, mongod: Mongod, tmp_path: Path
) -> None:
    module, replacements, answer = MISPLACEMENTS[name]
    original = baked(layout="single")
    project = tmp_path / "project"
    shutil.copytree(original.path, project)
    source = project / "src" / original.package / module
    text = source.read_text("utf-8")
    for old, new in replacements.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    source.write_text(text, "utf-8")

    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", GUARD],
        cwd=project,
        env={**os.environ, "MONGODB_URI": mongod.uri},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 1, result.stdout
    assert answer in result.stdout


@pytest.mark.slow
def test_the_guard_finds_a_client_in_one_of_several_functions(
    mongod: Mongod, tmp_path: Path
) -> None:
    project = bake(tmp_path, layout="multi")
    function = project.source / "functions/get_item.py"
    text = function.read_text("utf-8").replace(
        "    with mongodb.", "    with Connection.from_environment()."
    )
    function.write_text("from ..connection import Connection\n" + text, "utf-8")

    result = project.run(
        sys.executable, "-m", "pytest", "-q", GUARD, env={"MONGODB_URI": mongod.uri}, check=False
    )

    assert result.returncode == 1
    assert "functions/get_item.py:" in result.stdout
