"""`make local`: each project served on this machine, over HTTP, with a real MongoDB."""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Baker
from tests.support.baking import TIDY, BakedProject, bake, combinations
from tests.support.here import NEEDS_A_SHELL
from tests.support.mongod import Mongod, mongod_binary
from tests.support.servers import free_port, wait_until

pytestmark = NEEDS_A_SHELL

PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


class Local:
    """`make local`, with this test's Python in the place of the project's environment."""

    def __init__(self, project: BakedProject, environment: Mapping[str, str]) -> None:
        self._mark = f"MARK={uuid.uuid4()}"  # in the environment of all that it starts
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        name, _, value = self._mark.partition("=")
        self._process = subprocess.Popen(
            ["make", "--old-file=.venv", "local", "RUN=", "port=0"],
            cwd=project.path,
            env={**os.environ, "PATH": PATH, **TIDY, **environment, name: value},
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        wait_until(lambda: "Ctrl-C ends it" in self.terminal or self.ended, "service")
        found = re.search(r"Serving .* at http://127\.0\.0\.1:(\d+)", self.terminal)
        assert found, self.terminal
        self._port = int(found[1])

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    @property
    def terminal(self) -> str:
        """What is to be read there."""
        return os.pread(self._log.fileno(), 10_000_000, 0).decode()

    def expect(self, text: str) -> None:
        """See it there, or soon: an answer may overtake what was written before it."""
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: text in self.terminal, "text")
        assert text in self.terminal

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, str]:
        """Send a request; return status and body of the answer."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self._port)) as connection:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, headers)
            response = connection.getresponse()
            return response.status, response.read().decode()

    def get(self, path: str) -> Any:
        """The JSON that a successful request is answered with."""
        status, text = self.call("GET", path)
        assert status == 200, text + self.terminal
        return json.loads(text)

    def processes(self) -> list[str]:
        """The commands that run on its behalf."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # ended by now, or someone else's
                if self._mark in (process / "environ").read_bytes().decode().split("\0"):
                    command = (process / "cmdline").read_bytes().decode().replace("\0", " ")
                    found += [command] if command else []
        return found

    def end(self, number: signal.Signals) -> None:
        """Have it end, as a terminal or a supervisor would, and see that nothing is left."""
        os.killpg(self._process.pid, number)
        wait_until(lambda: self.ended and not self.processes(), "end of all processes")
        self._log.close()


@contextmanager
def served(
    project: BakedProject, environment: Mapping[str, str], number: signal.Signals = signal.SIGINT
) -> Iterator[Local]:
    """The project, served."""
    local = Local(project, environment)
    try:
        yield local
    finally:
        local.end(number)


def handler_of(project: BakedProject) -> tuple[Path, str, str]:
    """A handler's file, its first line, and the path of a request for it."""
    if project.answers["layout"] == "single":
        return project.source / "app.py", "    try:\n", "/"
    first = '    query = parameters(event, "queryStringParameters")\n'
    return project.source / "functions/list_items.py", first, "/items"


@pytest.mark.slow
@pytest.mark.parametrize("answers", combinations("layout", "auth"))
def test_serves(answers: dict[str, str], mongod: Mongod, tmp_path: Path) -> None:
    project = bake(tmp_path, **answers)
    database = f"local_{uuid.uuid4().hex[:8]}"

    with served(project, {"MONGODB_URI": mongod.uri, "MONGODB_DATABASE": database}) as local:
        if answers["layout"] == "single":
            assert local.get("/") == {"database": database, "ping": 1.0}
        else:
            use_items(project, local)
        assert local.call("GET", "/nowhere")[0] == 404
        assert local.call("PUT", "/items")[0] == 404
        password = mongod.root_password
        assert password
        assert password not in local.terminal

        show_changes(project, local)
        assert any("awslambdaric" in command for command in local.processes())


def use_items(project: BakedProject, local: Local) -> None:
    """Use every route, and the function that has none."""
    name = project.answers["project_slug"]
    if project.answers["layout"] == "multi-lambda":
        name += "-create-indexes"
    direct = f"/2015-03-31/functions/{name}/invocations"
    status, text = local.call("POST", direct, {"routeKey": "create-indexes"})
    assert (status, json.loads(text)["statusCode"]) == (200, 200)
    status, text = local.call("POST", direct.replace(name, "nothing"), {})
    assert (status, name in text) == (404, True)

    item = {"sku": "MUG", "name": "Größe M ☕", "quantity": 2}
    status, text = local.call("POST", "/items", item, **{"content-type": "application/json"})
    created = json.loads(text)
    assert (status, created["name"]) == (201, item["name"])
    assert local.call("POST", "/items", item)[0] == 409  # without a type, so in base64
    assert local.get(f"/items/{created['id']}") == created
    assert local.get("/items?limit=1") == {"items": [created], "next": None}
    assert local.call("GET", "/items?limit=1000")[0] == 400
    assert local.call("GET", "/items/%C3%A4")[0] == 400
    assert local.call("DELETE", f"/items/{created['id']}") == (204, "")
    assert local.call("GET", f"/items/{created['id']}")[0] == 404


def show_changes(project: BakedProject, local: Local) -> None:
    """Change a handler: requests get the new one, and failures are for the terminal only."""
    path, first, request = handler_of(project)
    text = path.read_text("utf-8")
    assert text.count(first) == 1
    opaque = (500, '{"message": "Internal Server Error"}')

    path.write_text(text.replace(first, f'    raise RuntimeError("in the handler")\n{first}'))
    assert local.call("GET", request) == opaque
    where = f'File "{path}", line {text[: text.index(first)].count(chr(10)) + 1}, in handler'
    local.expect("[ERROR] RuntimeError: in the handler\nTraceback (most recent")
    local.expect(where)

    path.write_text("this isn't Python\n")
    assert local.call("GET", request) == opaque
    local.expect("SyntaxError")
    assert local.call("GET", request, **{"content-length": "bad"}) == opaque
    local.expect("ValueError: invalid literal for int()")

    path.write_text(text)
    local.get(request)


@pytest.mark.slow
def test_ends_what_takes_too_long_or_ends_itself(mongod: Mongod, tmp_path: Path) -> None:
    project = bake(tmp_path)
    path, first, request = handler_of(project)
    text = path.read_text("utf-8")
    limits = project.path / "scripts/execution_environment.py"
    limits.write_text(limits.read_text("utf-8").replace("TIMEOUT = 10.0", "TIMEOUT = 1.5"))

    with served(project, {"MONGODB_URI": mongod.uri}, signal.SIGTERM) as local:
        sleep = 'import subprocess; subprocess.run(["sleep", "600"])'
        path.write_text(text.replace(first, f"    {sleep}\n{first}"))
        assert local.call("GET", request)[0] == 500
        local.expect("The function took over 1.5 s.")
        assert not [command for command in local.processes() if "sleep" in command]

        path.write_text(text.replace(first, f"    import os; os._exit(3)\n{first}"))
        assert local.call("GET", request)[0] == 500
        local.expect("The function's process has ended.")

        path.write_text(text)
        local.get(request)


@pytest.mark.slow
def test_starts_mongod_and_runs_without_the_compiled_client(tmp_path: Path) -> None:
    """As on a Mac: the runtime client's own HTTP is compiled on Linux only."""
    project = bake(tmp_path)
    path = project.path / "scripts/execution_environment.py"
    condition = 'importlib.util.find_spec("runtime_client") is None'
    text = path.read_text("utf-8")
    assert text.count(condition) == 1
    path.write_text(text.replace(condition, "True"))
    with (project.path / "scripts/portable/runtime_client.py").open("a") as portable:
        portable.write('\n\nprint("the portable client")\n')
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/mongod").symlink_to(mongod_binary())
    environment = {"MONGODB_URI": "", "PATH": f"{tmp_path}/bin:{PATH}"}

    with served(project, environment, signal.SIGTERM) as local:
        assert local.get("/") == {"database": "app", "ping": 1.0}
        assert local.get("/") == {"database": "app", "ping": 1.0}
        path, first, request = handler_of(project)
        changed = path.read_text("utf-8").replace(first, f"    raise RuntimeError\n{first}")
        path.write_text(changed)
        assert local.call("GET", request)[0] == 500
        local.expect("the portable client")
        local.expect("[ERROR] RuntimeError")
        assert [command for command in local.processes() if "mongod --dbpath" in command]


# In the place of Docker: what the project asks of `docker compose`, with a real mongod.
DOCKER = """\
#!{python}
import os, pathlib, signal, subprocess, sys
folder, port = pathlib.Path("{folder}"), "{port}"
arguments = sys.argv[1:]
with (folder / "calls").open("a") as calls:
    print(*arguments, file=calls)
if arguments[0] == "info":
    sys.exit()
command = arguments[5:]
assert arguments[:2] == ["compose", "--file"] and arguments[3] == "--project-name", arguments
if command == ["up", "--detach", "--wait"]:
    assert os.environ["MONGODB_PORT"] == ""
    (folder / "db").mkdir()
    run = ["{mongod}", "--fork", "--dbpath", folder / "db", "--bind_ip", "127.0.0.1"]
    run += ["--port", port, "--logpath", folder / "log", "--pidfilepath", folder / "pid"]
    subprocess.run(run, check=True, stdout=subprocess.DEVNULL)
elif command == ["port", "mongodb", "27017"]:
    print("127.0.0.1:" + port)
else:
    assert command == ["down", "--volumes"], command
    os.kill(int((folder / "pid").read_text()), signal.SIGTERM)
"""


@pytest.mark.slow
def test_starts_a_container_where_there_is_only_docker(baked: Baker, tmp_path: Path) -> None:
    program = tmp_path / "docker"
    values = {
        "python": sys.executable,
        "folder": str(tmp_path),
        "port": str(free_port()),
        "mongod": str(mongod_binary()),
    }
    program.write_text(DOCKER.format_map(values))
    program.chmod(0o755)
    for name in ("make", "sh"):
        (tmp_path / name).symlink_to(shutil.which(name) or "")
    (tmp_path / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (tmp_path / "python").chmod(0o755)

    with served(baked(), {"MONGODB_URI": "", "PATH": str(tmp_path)}) as local:
        assert local.get("/") == {"database": "app", "ping": 1.0}

    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls[-1].endswith(" down --volumes")
    assert all(call.count("orders-service-throwaway-") == 1 for call in calls[1:])


def refused(project: BakedProject, *arguments: str, **environment: str) -> str:
    """What `scripts/local.py` says when it doesn't serve."""
    command = [sys.executable, "scripts/local.py", *arguments]
    done = project.run(*command, env=environment, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr


@pytest.mark.parametrize("port", ["http", "-1", "65536", "3000 3001"])
def test_refuses_a_bad_port(port: str, baked: Baker) -> None:
    sentence = f"The port must be a number up to 65535, such as 3000, not {port!r}.\n"
    assert refused(baked(), port) == sentence


def test_refuses_a_port_that_is_taken(baked: Baker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        sentence = f"Port {port}: Address already in use. Try another, such as make local port="
        assert refused(baked(), str(port)) == f"{sentence}{port + 1}.\n"


def test_refuses_to_do_without_mongodb(baked: Baker, tmp_path: Path) -> None:
    sentence = "No MongoDB here: set MONGODB_URI, put mongod on the PATH or start Docker.\n"
    assert refused(baked(), "0", MONGODB_URI="", PATH=str(tmp_path)) == sentence


def test_says_that_mongod_did_not_start(baked: Baker, tmp_path: Path) -> None:
    (tmp_path / "mongod").write_text("#!/bin/sh\nexit 48\n")
    (tmp_path / "mongod").chmod(0o755)
    sentence = "mongod from the PATH ended with 48 instead of starting.\n"
    assert refused(baked(), "0", MONGODB_URI="", PATH=str(tmp_path)) == sentence


@pytest.mark.parametrize(
    ("uri", "sentence"),
    [
        ("mongodb://root:hunter2@{address}/", "MongoDB refuses the username or the password in"),
        ("mongodb://root:hunter2@127.0.0.1:9/", "No MongoDB answers at"),
        ("mongodb://root:hunter2:x@[/", "can't be used: InvalidURI."),
    ],
)
@pytest.mark.slow
def test_refuses_a_uri_that_does_not_work(
    uri: str, sentence: str, baked: Baker, mongod: Mongod
) -> None:
    said = refused(baked(), "0", MONGODB_URI=uri.format(address=mongod.address))
    assert sentence in said
    assert "MONGODB_URI" in said
    assert said.count("\n") == 1
    assert "hunter2" not in said
