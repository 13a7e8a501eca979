"""What guards the rule of one client in each project, tried on what somebody might write."""

import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import Baker
from tests.support.baking import BakedProject
from tests.support.mongod import Mongod

BORROW = "        with mongodb.database(context) as db:"
MADE = "mongodb = Connection.from_environment()"
BANNED = " is banned: Only connection.py builds a client"
IN_A_FUNCTION = " uses Connection; build it once"
IN_AN_INVOCATION = "build the client once, at module scope, not in a handler"


@dataclass
class Misplaced:
    """A client in the wrong place: files of the package, new or with replacements; what is said."""

    says: str
    files: dict[str, str | dict[str, str]] = field(default_factory=dict)
    layout: str = "single"

    def write(self, project: BakedProject) -> None:
        for name, change in self.files.items():
            path = project.source / name
            if isinstance(change, str):
                path.write_text(change, "utf-8")
                continue
            text = path.read_text("utf-8")
            for old, new in change.items():
                assert text.count(old) == 1, old
                text = text.replace(old, new)
            path.write_text(text, "utf-8")


def built_by(expression: str, before: str = "") -> dict[str, str]:
    """Replacements in app.py that have the handler use this in the place of the connection."""
    borrow = f"        with {expression}.database(context) as db:"
    return {BORROW: borrow} | ({"@logger": f"{before}\n\n\n@logger"} if before else {})


CLIENT = "from pymongo import MongoClient\n\nclient = MongoClient()\n"

# What Ruff finds: any name of a client, but in connection.py.
BY_RUFF = {
    "in a handler": Misplaced(
        "`pymongo.MongoClient`" + BANNED,
        {
            "app.py": {
                BORROW: "        pymongo.MongoClient()\n" + BORROW,
                "\nimport json": "\nimport json\nimport pymongo",
            }
        },
    ),
    "at module scope": Misplaced("`pymongo.MongoClient`" + BANNED, {"other.py": CLIENT}),
    "in another connection.py": Misplaced(
        "`pymongo.MongoClient`" + BANNED, {"functions/connection.py": CLIENT}, "multi"
    ),
    "beside the package": Misplaced("`pymongo.MongoClient`" + BANNED, {"../connection.py": CLIENT}),
    "an alias of the driver": Misplaced(
        "`pymongo.MongoClient`" + BANNED,
        {"other.py": "import pymongo as driver\n\nCLIENTS = [driver.MongoClient]\n"},
    ),
    "an alias for other modules": Misplaced(
        "`pymongo.MongoClient`" + BANNED,
        {
            "other.py": "from pymongo import MongoClient as Session\n\n__all__ = ['Session']\n",
            "functions/get_item.py": {
                "    with mongodb": "    Session()\n    with mongodb",
                "import Id, Item": "import Id, Item\nfrom ..other import Session",
            },
        },
        "multi-lambda",
    ),
    "by the driver's module": Misplaced(
        "`pymongo.mongo_client`" + BANNED,
        {"other.py": CLIENT.replace("from pymongo ", "from pymongo.mongo_client ")},
    ),
    "by the driver's private module": Misplaced(
        "`pymongo.synchronous` is banned",
        {"other.py": CLIENT.replace("from pymongo ", "from pymongo.synchronous.mongo_client ")},
    ),
    "by connection.py": Misplaced(
        "connection.MongoClient` is banned",
        {"functions/other.py": "from ..connection import MongoClient\n\nMongoClient()\n"},
        "multi",
    ),
    "by the module connection": Misplaced(
        "connection.MongoClient` is banned",
        {"other.py": "from . import connection\n\nconnection.MongoClient()\n"},
    ),
    "by the name": Misplaced(
        "B009", {"other.py": 'import pymongo\n\nclient = getattr(pymongo, "MongoClient")()\n'}
    ),
    "by all names": Misplaced("F403", {"other.py": "from pymongo import *\n\nMongoClient()\n"}),
    "asynchronous": Misplaced(
        "`pymongo.AsyncMongoClient` is banned",
        {
            "other.py": "from pymongo import AsyncMongoClient\n\n\n"
            "async def client() -> object:\n    return AsyncMongoClient()\n"
        },
    ),
}

# What the project's own tests find.
BY_TESTS = {
    "in the handler": Misplaced(
        f"handler{IN_A_FUNCTION}", {"app.py": built_by("Connection.from_environment()")}
    ),
    "an aliased import": Misplaced(
        f"handler{IN_A_FUNCTION}",
        {
            "app.py": built_by("C.from_environment()")
            | {"from .connection": "from .connection import Connection as C\nfrom .connection"}
        },
    ),
    "an alias": Misplaced(
        f"handler{IN_A_FUNCTION}", {"app.py": built_by('C("", "")', "C = Connection")}
    ),
    "a bound method": Misplaced(
        f"handler{IN_A_FUNCTION}",
        {"app.py": built_by("connect()", "connect = Connection.from_environment")},
    ),
    "a lambda": Misplaced(
        f"<lambda>{IN_A_FUNCTION}",
        {"app.py": built_by("connect()", "connect = lambda: Connection.from_environment()")},
    ),
    "a nested function": Misplaced(
        f"connect{IN_A_FUNCTION}",
        {
            "app.py": built_by("connect()")
            | {"    try:": "    def connect():\n        return Connection('', '')\n\n    try:"}
        },
    ),
    "a branch that no test takes": Misplaced(
        f"handler{IN_A_FUNCTION}",
        {
            "app.py": {
                BORROW: "        if event.get('body'):\n            Connection.from_environment()\n"
                + BORROW
            }
        },
    ),
    "an alias from another module, in a handler that no test calls": Misplaced(
        f"handler{IN_A_FUNCTION}",
        {
            "other.py": "from .connection import Connection\n\nSession = Connection\n",
            "functions/archive_item.py": "from ..other import Session\n\n\n"
            "def handler(event: object, context: object) -> None:\n    Session('', '')\n",
        },
        "multi-lambda",
    ),
    "another module's alias": Misplaced(
        f"handler{IN_A_FUNCTION}",
        {
            "other.py": "from .connection import Connection\n\nSession = Connection\n",
            "functions/archive_item.py": "from .. import other\n\n\n"
            "def handler(event: object, context: object) -> None:\n"
            "    other.Session.from_environment()\n",
        },
        "multi",
    ),
    "by the first invocation": Misplaced(
        "0 clients: one module builds",
        {
            "app.py": built_by("connect()")
            | {MADE: "connect = functools.cache(Connection.from_environment)"}
            | {"import json": "import functools\nimport json"}
        },
    ),
    "a second one": Misplaced(
        "2 clients: one module builds", {"app.py": {MADE: f"{MADE}\nother = {MADE[10:]}"}}
    ),
    "a second one elsewhere": Misplaced(
        "2 clients: one module builds",
        {"other.py": f"from .connection import Connection\n\n{MADE}\n"},
        "multi-lambda",
    ),
    "by each invocation, in connection.py": Misplaced(
        IN_AN_INVOCATION,
        {"connection.py": {"            if self._client is None:\n": "            if True:\n"}},
    ),
    "a partial function": Misplaced(
        IN_AN_INVOCATION,
        {
            "app.py": built_by("connect()", "connect = partial(Connection.from_environment)")
            | {"from typing": "from functools import partial\nfrom typing"}
        },
    ),
    # As web frameworks have it.
    "in a lifespan": Misplaced(
        f"lifespan{IN_A_FUNCTION}",
        {
            "app.py": {
                "from typing": "from contextlib import asynccontextmanager\nfrom typing",
                "from .functions": "from .connection import Connection\nfrom .functions",
                "serve =": "\n\n@asynccontextmanager\nasync def lifespan(app):\n"
                "    app.state.mongodb = Connection.from_environment()\n    yield\n\n\n"
                "app.router.lifespan_context = lifespan\nserve =",
            }
        },
        "web",
    ),
    "in a startup event": Misplaced(
        f"connect{IN_A_FUNCTION}",
        {
            "app.py": {
                "from .functions": "from .connection import Connection\nfrom .functions",
                "serve =": "\n\ndef connect():\n"
                "    app.state.mongodb = Connection.from_environment()\n\n\n"
                "app.router.on_startup = [connect]\nserve =",
            }
        },
        "web",
    ),
    "in a dependency": Misplaced(
        f"database{IN_A_FUNCTION}",
        {
            "functions/get_item.py": {
                "from ..client import mongodb": "from ..connection import Connection",
                "\n\n@router": "\n\ndef database():\n    yield Connection.from_environment()"
                "\n\n\n@router",
                "context: Context": "context: Context, mongodb=Depends(database)",
                "import APIRouter": "import APIRouter, Depends",
            }
        },
        "web",
    ),
    "in a middleware": Misplaced(
        f"connect{IN_A_FUNCTION}",
        {
            "app.py": {
                "from .functions": "from . import connection\nfrom .functions",
                "serve =": '\n\n@app.middleware("http")\nasync def connect(request, call_next):\n'
                '    request.state.mongodb = connection.Connection("", "")\n'
                "    return await call_next(request)\n\n\nserve =",
            }
        },
        "web",
    ),
}


def changed(baked: Baker, folder: Path, misplaced: Misplaced) -> BakedProject:
    original = baked(layout=misplaced.layout)
    project = BakedProject(shutil.copytree(original.path, folder / "project"), original.answers)
    misplaced.write(project)
    return project


@pytest.mark.parametrize("case", BY_RUFF)
def test_ruff_finds(case: str, baked: Baker, tmp_path: Path) -> None:
    project = changed(baked, tmp_path, BY_RUFF[case])

    said = project.run("ruff", "check", "--output-format", "concise", check=False).stdout

    assert BY_RUFF[case].says in said


@pytest.mark.slow
@pytest.mark.parametrize("case", BY_TESTS)
def test_the_tests_find(case: str, baked: Baker, mongod: Mongod, tmp_path: Path) -> None:
    project = changed(baked, tmp_path, BY_TESTS[case])
    tests = ["tests/test_client_placement.py"]
    if project.answers["layout"] == "single":
        tests.append("tests/test_app.py")

    command = [sys.executable, "-m", "pytest", "-q", *tests]
    result = project.run(*command, env={"MONGODB_URI": mongod.uri}, check=False)

    assert result.returncode == 1, result.stdout
    assert BY_TESTS[case].says in result.stdout
