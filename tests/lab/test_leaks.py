"""Secrets show nowhere, and where they showed they would be found.

The lab's environments are all watched, see `WatchedEnvironment`. Here is what they would catch, and
what else people get to see: objects, exceptions, the project, the artefact. `tests/test_deploy.py`
looks at deployed stacks.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab.cluster import Auth, Cluster, Variables
from tests.lab.conftest import Deployer
from tests.lab.faults import LAYOUTS
from tests.lab.leaks import Canaries, LeakError, WatchedEnvironment
from tests.support.baking import bake
from tests.support.here import HERE, build

pytestmark = pytest.mark.slow

HOST = "cluster0-shard-00-00.ab1cd.mongodb.net"
LEAKS = {
    "printed": "print(secret)",
    "on stderr": "print(secret, file=sys.stderr)",
    "logged at DEBUG": "logging.getLogger('library').debug('signs in with %s', secret)",
    "in an exception that is logged": "logged(ValueError(secret))",
    "in the cause of one": "shown(caused(RuntimeError('no such luck'), ValueError(secret)))",
    "as repr": "print(repr({'password': secret}))",
    "as JSON": "print(json.dumps({'password': secret}))",
    "quoted in a URL": "print('mongodb://user:' + quote(secret, safe='') + '@host/')",
    "in base64": "print(base64.b64encode(b'user:' + secret.encode()).decode())",
    "answered": "{'password': secret}",
    "raised": "fail(ValueError(secret))",
    "host answered": f"'{HOST} is down'",
    "host raised": f"fail(ValueError('{HOST} is down'))",
    "host logged": f"logging.error('{HOST} is down')",
}
LEAKY = """
import base64, json, logging, os, sys, traceback
from urllib.parse import quote

secret = os.environ["AWS_SECRET_ACCESS_KEY"]
if os.environ.get("AT_IMPORT"):
    print(secret)

def caused(error, cause):
    error.__cause__ = cause
    return error

def fail(error):
    raise error

def logged(error):
    try:
        raise error
    except Exception:
        logging.exception("failed")

def shown(error):
    traceback.print_exception(error)

def handler(event, context):
    return eval(event)
"""


@pytest.fixture(scope="module")
def leaky(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedEnvironment]:
    """A function that does with its secret key what the event says."""
    with watched(tmp_path_factory.mktemp("leaky")) as environment:
        yield environment


def watched(folder: Path, **variables: str) -> WatchedEnvironment:
    (folder / "app.py").write_text(LEAKY)
    canaries = Canaries()
    variables |= {"AWS_SECRET_ACCESS_KEY": canaries.new("secret key")}
    return WatchedEnvironment(folder, "app.handler", variables, canaries=canaries, hosts=(HOST,))


def test_what_is_no_secret_may_show(leaky: WatchedEnvironment) -> None:
    """The control of the next test."""
    assert leaky.invoke("print(len(secret))").error is None
    assert leaky.invoke("fail(ValueError('no such luck'))").error is not None
    assert leaky.invoke(f"logging.debug('asks {HOST}')").error is None


@pytest.mark.parametrize("leak", LEAKS)
def test_a_leak_is_found(leak: str, leaky: WatchedEnvironment) -> None:
    what = HOST if leak.startswith("host") else "AWS_SECRET_ACCESS_KEY"
    with pytest.raises(LeakError, match=what):
        leaky.invoke(LEAKS[leak])


def test_a_leak_in_init_is_found(tmp_path: Path) -> None:
    environment = watched(tmp_path, AT_IMPORT="1")
    with pytest.raises(LeakError, match="INIT"):
        environment.start()
    assert not environment.alive


@pytest.mark.parametrize("auth", ["iam", "password"])
def test_objects_and_exceptions_do_not_show_them(
    auth: Auth, small_cluster: Cluster, deployed: Deployer, canaries: Canaries
) -> None:
    """What a debugger prints of the connection, and each exception of a chain."""
    project = deployed(layout=LAYOUTS[auth], auth=auth)
    variables = project.variables(small_cluster.atlas.host) | small_cluster.environment
    right = small_cluster.sign_in(auth)
    wrong: list[Variables] = (
        [{"AWS_SECRET_ACCESS_KEY": canaries.new("secret key")}]
        if auth == "iam"
        else [
            {
                "MONGODB_SECRET_ARN": small_cluster.secrets.put({"username": "me", "password": it}),
                "MONGODB_URI": project.variables(
                    small_cluster.atlas.host, authMechanism="SCRAM-SHA-1"
                )["MONGODB_URI"],
            }
            for it in (canaries.new("password"), canaries.new("password") + "\ud800")
        ]
    )

    def environment(credentials: Variables) -> WatchedEnvironment:
        handler = project.added("shown.handler")
        return WatchedEnvironment(
            project.code, handler, variables | credentials, canaries=canaries, timeout=4.0
        )

    with environment(right) as one:
        whole = one.invoke({}).response
        small_cluster.atlas.present_certificate(expired=True)
        small_cluster.proxies[0].finish()
        try:
            broken = one.invoke({}).response
        finally:
            small_cluster.heal()
    refused = []
    for credentials in wrong:
        with environment(right | credentials) as one:
            refused.append(one.invoke({}).response)
    assert "MongoClient(" in whole["objects"]
    assert whole["chain"] == []
    assert any("pymongo" in it for it in broken["chain"][1:]), "down to the driver's errors"
    assert any("OperationFailure" in it for it in refused[0]["chain"]), "down to the cause"
    assert all(it["chain"] for it in refused)


@pytest.fixture(scope="module")
def built(
    tmp_path_factory: pytest.TempPathFactory, canaries: Canaries
) -> Callable[[Auth], list[Path]]:
    """Projects and artefacts, made where credentials are in the environment."""
    folders: dict[Auth, list[Path]] = {}

    def built(auth: Auth) -> list[Path]:
        if auth not in folders:
            folder = tmp_path_factory.mktemp("built")
            names = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "MONGODB_URI", "ATLAS_API_KEY")
            with pytest.MonkeyPatch.context() as patch:
                for name in names:
                    patch.setenv(name, canaries.new(name))
                project = bake(folder, **HERE, auth=auth)
                build(project, folder / "code")
            folders[auth] = [project.path, folder / "code"]
        return folders[auth]

    return built


@pytest.mark.parametrize("auth", ["iam", "password"])
def test_project_and_artefact_hold_none(
    auth: Auth, built: Callable[[Auth], list[Path]], canaries: Canaries, tmp_path: Path
) -> None:
    for folder in built(auth):
        canaries.check_folder(folder)

    copy = shutil.copytree(built(auth)[1], tmp_path / "copy")
    file = next(copy.rglob("connection.*.pyc"))
    file.write_bytes(file.read_bytes() + b"\0" + canaries.new("password").encode())
    with pytest.raises(LeakError, match=r"password is in .*\.pyc"):
        canaries.check_folder(copy)
