"""`make local`: each project served on this machine, over HTTP, with a real MongoDB."""

import base64
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
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.conftest import Baker
from tests.support.baking import TIDY, BakedProject, bake, in_turns
from tests.support.certificates import Authority
from tests.support.execution_environment import ExecutionEnvironment
from tests.support.here import NEEDS_A_SHELL
from tests.support.issuer import unsigned
from tests.support.mongod import Mongod, Tls, mongod_binary
from tests.support.servers import free_port, listens, wait_until

pytestmark = NEEDS_A_SHELL

PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
# What a developer's shell may have, and no function.
SURROUNDINGS = {
    "MONGODB_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:none",
    "PYTHONSAFEPATH": "1",
    "TZ": "Asia/Tokyo",
}

CREDENTIALS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}


class Local:
    """`make local`, with this test's Python in the place of the project's environment."""

    COMMAND: tuple[str, ...] = ("make", "--old-file=.venv", "local", "RUN=", "port=0")

    def __init__(self, project: BakedProject, environment: Mapping[str, str]) -> None:
        self._mark = f"MARK={uuid.uuid4()}"  # in the environment of all that it starts
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        name, _, value = self._mark.partition("=")
        mine = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self.process = subprocess.Popen(
            self.COMMAND,
            cwd=project.path,
            env={**mine, "PATH": PATH, **TIDY, **environment, name: value},
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        wait_until(lambda: "Uvicorn running" in self.terminal or self.ended, "service")
        found = re.search(r"Uvicorn running on http://127\.0\.0\.1:(\d+) ", self.terminal)
        assert found, self.terminal
        self.port = int(found[1])
        wait_until(lambda: listens(self.port), "server")

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    @property
    def terminal(self) -> str:
        """What is to be read there."""
        return os.pread(self._log.fileno(), 10_000_000, 0).decode()

    def expect(self, text: str) -> None:
        """See it there, or soon: a response may overtake what was written before it."""
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: text in self.terminal, "text")
        assert text in self.terminal

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, str]:
        """Send a request; return status and body of the response."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port)) as connection:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, headers)
            response = connection.getresponse()
            return response.status, response.read().decode()

    def get(self, path: str) -> Any:
        """The JSON that a successful request is answered with."""
        status, text = self.call("GET", path)
        assert status == 200, text + self.terminal
        return json.loads(text)

    def reloads(self, path: Path, text: str) -> None:
        """Change a file; return when the new code is served."""
        before = self.terminal.count("Reloading")
        path.write_text(text, "utf-8")
        wait_until(lambda: self.terminal.count("Reloading") > before, "reload")

    def processes(self) -> dict[int, str]:
        """The commands that run on its behalf, by their ids."""
        found: dict[int, str] = {}
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # ended by now, or someone else's
                if self._mark in (process / "environ").read_bytes().decode().split("\0"):
                    command = (process / "cmdline").read_bytes().decode().replace("\0", " ")
                    found |= {int(process.name): command} if command else {}
        return found

    def end(self, number: signal.Signals) -> None:
        """Have it end, as a terminal would, and see that nothing is left."""
        with contextlib.suppress(ProcessLookupError):  # it has ended
            os.killpg(self.process.pid, number)
        wait_until(lambda: self.ended and not self.processes(), "end of all processes")
        self._log.close()


class AnyServer(Local):
    """The application of a project with layout=web, without events and handler."""

    COMMAND = ("uvicorn", "--app-dir", "src", "--port", "0", "orders_service.app:app")


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
    first = '    later = {"_id": {"$gt": after}} if after else {}\n'
    return project.source / "functions/list_items.py", first, "/items"


@pytest.mark.slow
@pytest.mark.parametrize(
    "answers",
    [
        *in_turns("layout", "auth"),  # which the URI leaves no part in
        pytest.param({"api_auth": "jwt", "layout": "web"}, id="jwt/web"),
    ],
)
def test_serves(answers: dict[str, str], mongod: Mongod, tmp_path: Path) -> None:
    project = bake(tmp_path, **answers)
    web = answers["layout"] == "web"  # where the application has the routes, not the API
    database = f"local_{uuid.uuid4().hex[:8]}"

    with served(project, {"MONGODB_URI": mongod.uri, "MONGODB_DATABASE": database}) as local:
        if answers["layout"] == "single":
            assert local.get("/") == {"database": database, "ping": 1.0}
        else:
            use_items(project, local)
        nowhere = '{"detail":"Not Found"}' if web else '{"message":"Not Found"}'
        assert local.call("GET", "/nowhere") == (404, nowhere)
        assert local.call("PUT", "/items")[0] == (405 if web else 404)
        assert local.terminal.count('"ConnectionsOpened":[1.0]') == 1  # for all of it
        assert "throwaway" not in local.terminal
        unverified = "Bearer tokens aren't verified here, nor asked for.\n" in local.terminal
        assert unverified == (project.answers["api_auth"] == "jwt")
        password = mongod.root_password
        assert password
        assert password not in local.terminal

        show_changes(project, local)


@pytest.mark.slow
def test_the_web_application_runs_behind_any_server(baked: Baker, mongod: Mongod) -> None:
    database = f"local_{uuid.uuid4().hex[:8]}"
    environment = {"MONGODB_URI": mongod.uri, "MONGODB_DATABASE": database}

    local = AnyServer(baked(layout="web"), environment)
    try:
        json_type = {"content-type": "application/json"}
        assert local.call("POST", "/items", {"sku": "A"}, **json_type)[0] == 422
        assert local.call("POST", "/items", {"sku": "A", "name": "Mug"}, **json_type)[0] == 201
        [item] = local.get("/items")["items"]
        assert local.get(f"/items/{item['id']}") == item
        assert "/openapi.json" in local.call("GET", "/docs")[1]
        assert local.terminal.count('"ConnectionsOpened":[1.0]') == 1
    finally:
        local.end(signal.SIGINT)


def use_items(project: BakedProject, local: Local) -> None:
    """Use every route, and the function that has none."""
    name = project.answers["project_slug"]
    if project.answers["layout"] == "multi-lambda":
        name += "-create-indexes"
    direct = f"/2015-03-31/functions/{name}/invocations"
    status, text = local.call("POST", direct, {"routeKey": "create-indexes"})
    assert (status, json.loads(text)) == (200, {"indexes": ["sku_1"]})
    assert local.call("POST", direct.replace(name, "nothing"), {})[0] == 404

    item = {"sku": "MUG", "name": "Größe M ☕", "quantity": 2}
    status, text = local.call("POST", "/items", item, **{"content-type": "application/json"})
    created = json.loads(text)
    assert (status, created["name"]) == (201, item["name"])
    if project.answers["layout"] == "web":
        assert local.call("POST", "/items", item)[0] == 415  # without a type
        assert "/openapi.json" in local.call("GET", "/docs")[1]
    else:
        assert local.call("POST", "/items", item)[0] == 409  # without a type, so in base64
    assert local.get(f"/items/{created['id']}") == created
    assert local.get("/items?limit=1") == {"items": [created], "next": None}
    assert local.call("GET", "/items?limit=1000")[0] == 422
    assert local.call("GET", "/items/%C3%A4")[0] == 422
    assert local.call("DELETE", f"/items/{created['id']}") == (204, "")
    assert local.call("GET", f"/items/{created['id']}")[0] == 404


def show_changes(project: BakedProject, local: Local) -> None:
    """Change a handler: requests get the new one, and failures are for the terminal only."""
    path, first, request = handler_of(project)
    text = path.read_text("utf-8")
    assert text.count(first) == 1
    opaque = (500, "Internal Server Error")

    local.reloads(path, text.replace(first, f'    raise RuntimeError("in the handler")\n{first}'))
    assert local.call("GET", request) == opaque
    name = "handler" if path.stem == "app" else path.stem
    local.expect(f'File "{path}", line {text[: text.index(first)].count(chr(10)) + 1}, in {name}')
    local.expect("\nRuntimeError: in the handler\n")

    local.reloads(path, text.replace(first, f"    raise SystemExit\n{first}"))
    assert local.call("GET", request) == opaque
    local.reloads(path, text.replace(first, f"    return object()\n{first}"))
    assert local.call("GET", request) == opaque
    local.expect("object is not JSON serializable" if "single" in str(path) else "Traceback")
    local.reloads(path, "this isn't Python\n")
    assert local.call("GET", request) == opaque
    local.expect("SyntaxError")

    local.reloads(path, text)
    local.get(request)


ECHO = """
import json, os, time

import boto3
from pymongo import pool_options


def handler(event, context):
    if event.get("body") and event["headers"].get("content-type") == "application/json":
        return json.loads(event["body"])
    told = {name: it for name, it in vars(context).items() if name[0] != "_" and not callable(it)}
    told.pop("identity", None)
    return {
        "event": event,
        "context": told,
        "milliseconds": context.get_remaining_time_in_millis(),
        "environment": dict(os.environ),
        "faas": pool_options._is_faas(),
        "region": boto3.client("sqs").meta.region_name,
        "hour": time.localtime(0).tm_hour,
    }
"""


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory, mongod: Mongod) -> Iterator[Local]:
    """A project, served from surroundings like these, whose `POST /items` and `GET /items/{id}`
    return what they are asked to, or what they are told."""
    answers = {"layout": "multi-lambda", "auth": "password", "api_auth": "jwt"}
    project = bake(tmp_path_factory.mktemp("echo"), **answers)
    for name in ("create_item", "get_item"):
        (project.source / f"functions/{name}.py").write_text(ECHO)
    mine = dict.fromkeys(CREDENTIALS, "mine")
    with served(project, {"MONGODB_URI": mongod.uri, **SURROUNDINGS, **mine}) as local:
        yield local


# The example in API Gateway's documentation, of which what a request doesn't have is left out.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
DOCUMENTED = {
    "version": "2.0",
    "routeKey": "GET /items/{id}",
    "rawPath": "/items/Größe M",
    "rawQueryString": "parameter1=value1&parameter1=value2&parameter2=a%20b&empty=",
    "cookies": ["cookie1", "cookie2=2"],
    "headers": {"header1": "value1", "header2": "value1,value2"},
    "queryStringParameters": {"parameter1": "value1,value2", "parameter2": "a b", "empty": ""},
    "requestContext": {
        "accountId": "123456789012",
        "apiId": "local",
        "authentication": {},
        "authorizer": {},
        "domainName": "localhost",
        "domainPrefix": "localhost",
        "http": {
            "method": "GET",
            "path": "/items/Größe M",
            "protocol": "HTTP/1.1",
            "sourceIp": "127.0.0.1",
            "userAgent": "agent",
        },
        "requestId": "id",
        "routeKey": "GET /items/{id}",
        "stage": "$default",
        "time": "12/Mar/2020:19:03:58 +0000",
        "timeEpoch": 1583348638390,
    },
    "pathParameters": {"id": "Größe M"},
    "isBase64Encoded": False,
    "stageVariables": {},
}
# There are no signatures and no certificates, no stage, no account and no domain.
LEFT_OUT_OF_EVENTS = {"authentication", "authorizer", "stageVariables", "accountId", "apiId"}
LEFT_OUT_OF_EVENTS |= {"domainName", "domainPrefix", "time"}


@pytest.mark.slow
def test_events_are_as_documented(echo: Local) -> None:
    query = str(DOCUMENTED["rawQueryString"])
    status, text = request(
        echo,
        f"GET {quote('/items/Größe M')}?{query} HTTP/1.1",
        "Header1: value1",
        "Header2: value1",
        "HEADER2: value2",
        "Cookie: cookie1; cookie2=2",
        "User-Agent: agent",
    )
    assert status == 200
    event = json.loads(text)["event"]
    context = event["requestContext"]
    assert time.time() * 1000 - 60_000 < context["timeEpoch"] <= time.time() * 1000
    assert uuid.UUID(context["requestId"])
    assert event["headers"].pop("host") == f"127.0.0.1:{echo.port}"
    assert event["headers"].pop("user-agent") == "agent"

    own = ("requestId", "timeEpoch")
    expected = {name: it for name, it in DOCUMENTED.items() if name not in LEFT_OUT_OF_EVENTS}
    documented = DOCUMENTED["requestContext"]
    assert isinstance(documented, dict)
    expected["requestContext"] = {
        name: context[name] if name in own else it
        for name, it in documented.items()
        if name not in LEFT_OUT_OF_EVENTS
    }
    assert event == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("token", "claims"),
    [
        (
            unsigned({"sub": "me", "scope": "read write", "aud": ["a", "b"], "exp": 17}),
            {"sub": "me", "scope": "read write", "aud": "[a b]", "exp": "17"},
        ),
        ("e30.WzVd.", None),
        ("e30.e-.", None),
        ("no token", None),
    ],
)
def test_a_bearer_token_is_believed(token: str, claims: dict[str, str] | None, echo: Local) -> None:
    """Claims are text in events, a list of them too: see docs/decisions/0064."""
    status, text = request(echo, "GET /items/1 HTTP/1.1", f"Authorization: Bearer {token}")

    assert status == 200, echo.terminal
    told = json.loads(text)["event"]["requestContext"].get("authorizer")
    assert told == (None if claims is None else {"jwt": {"claims": claims, "scopes": None}})


def request(local: Local, line: str, *headers: str, body: bytes = b"") -> tuple[int, str]:
    """Send a request to the letter; return status and body of the response."""
    head = "\r\n".join((line, f"Host: 127.0.0.1:{local.port}", *headers, "", ""))
    with socket.create_connection(("127.0.0.1", local.port)) as connection:
        connection.sendall(head.encode() + body)
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status, response.read().decode()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("text/plain", True),
        ("TEXT/html; charset=utf-8", True),
        ("application/json; charset=utf-8", True),
        ("application/xml", True),
        ("application/javascript", True),
        ("application/x-www-form-urlencoded", False),
        ("application/problem+json", False),
        ("application/octet-stream", False),
        (None, False),
    ],
)
def test_bodies_are_text_or_base64(kind: str | None, text: bool, echo: Local) -> None:
    """As seen of API Gateway: https://github.com/ministackorg/ministack/pull/766"""
    chunked = b"5\r\nGr\xc3\xb6\xc3\r\n3\r\n\x9fe!\r\n0\r\n\r\n"  # parts a character in two
    headers = ["Transfer-Encoding: chunked", *([f"Content-Type: {kind}"] if kind else [])]
    status, answer = request(echo, "POST /items HTTP/1.1", *headers, body=chunked)

    assert status == 200, echo.terminal
    event = json.loads(answer)["event"]
    assert event["isBase64Encoded"] is not text
    body = event["body"].encode() if text else base64.b64decode(event["body"], validate=True)
    assert body.decode() == "Größe!"


ERROR = b"Internal Server Error"
# What a handler returns, and what comes of it: status, type, body.
RETURNED: list[tuple[Any, int, str, bytes]] = [
    ({"a": "ö"}, 200, "application/json", b'{"a": "\\u00f6"}'),
    ([1], 200, "application/json", b"[1]"),
    ({"statusCode": 201, "body": "ö"}, 201, "text/plain; charset=utf-8", "ö".encode()),
    ({"statusCode": "202"}, 202, "text/plain; charset=utf-8", b""),
    (
        {"statusCode": 200, "headers": {"Content-Type": "image/x"}, "isBase64Encoded": True}
        | {"body": base64.b64encode(b"\x00\xff").decode()},
        200,
        "image/x",
        b"\x00\xff",
    ),
    ({"statusCode": 200, "body": {"a": 1}}, 500, "text/plain; charset=utf-8", ERROR),
    ({"statusCode": "many"}, 500, "text/plain; charset=utf-8", ERROR),
]


@pytest.mark.slow
@pytest.mark.parametrize(("returned", "status", "kind", "body"), RETURNED)
def test_responses_are_as_documented(
    returned: Any, status: int, kind: str, body: bytes, echo: Local
) -> None:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", echo.port)) as connection:
        headers = {"content-type": "application/json"}
        connection.request("POST", "/items", json.dumps(returned), headers)
        response = connection.getresponse()
        assert (response.status, response.headers["content-type"]) == (status, kind)
        assert response.read() == body


@pytest.mark.slow
def test_responses_have_headers_and_cookies(echo: Local) -> None:
    headers = {"X-Several": "1,2"}
    returned = {"statusCode": 200, "headers": headers, "cookies": ["a=1; Secure", "b=2"]}
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", echo.port)) as connection:
        sent = json.dumps({**returned, "body": "x"})
        connection.request("POST", "/items", sent, {"content-type": "application/json"})
        response = connection.getresponse()
        assert response.headers.get_all("set-cookie") == ["a=1; Secure", "b=2"]
        assert response.headers["x-several"] == "1,2"
        assert response.read() == b"x"


@pytest.mark.slow
def test_handlers_are_told_what_lambda_tells_them(echo: Local, tmp_path: Path) -> None:
    """What Powertools and the driver read, compared with the real runtime client's."""
    (tmp_path / "echo.py").write_text(ECHO)
    name = "orders-service"
    with ExecutionEnvironment(tmp_path, "echo.handler", function_name=name) as lambda_:
        there = lambda_.invoke({}).response
    here = echo.get("/items/1")

    assert here["faas"] is there["faas"] is True
    assert here["region"] == there["region"] == "us-east-1"
    assert here["hour"] == there["hour"] == 0  # UTC
    assert 0 < here["milliseconds"] <= 10_000
    assert uuid.UUID(here["context"].pop("aws_request_id"))
    assert here["context"].pop("invoked_function_arn").endswith(f":function:{name}")
    assert here["context"].keys() == {"function_name", "memory_limit_in_mb"}
    assert here["context"].items() <= there["context"].items()

    for variable in ("AWS_DEFAULT_REGION", "AWS_LAMBDA_FUNCTION_NAME", "AWS_REGION", "TZ"):
        assert here["environment"][variable] == there["environment"][variable].lstrip(":")
    assert {here["environment"][it] for it in CREDENTIALS} == {"mine"}
    assert "MONGODB_SECRET_ARN" not in here["environment"]
    assert here["environment"]["MONGODB_DATABASE"] == "app"
    assert here["environment"]["POWERTOOLS_SERVICE_NAME"] == "orders-service"


ROUTES = {
    "GET /items": "/items",
    "GET /items/{id}": "/items/7",
    "GET /items/new": "/items/new",
    "ANY /items/new": None,
    "ANY /files/{proxy+}": "/files/a/b%20c/d",
    "GET /files/{name}/{part}": "/files/a/b",
    "GET /a.b": "/a.b",
}


def test_the_route_that_says_most_is_taken(baked: Baker) -> None:
    script = (
        "import json, local\n"
        "local.routes = lambda: dict.fromkeys(json.loads(local.sys.argv[1]), 'local')\n"
        "local.handler = lambda event, context: event\n"
        "for path in json.loads(local.sys.argv[2]):\n"
        "    method, _, path = path.partition(' ')\n"
        "    scope = {'method': method, 'path': path, 'raw_path': path.encode(), 'headers': [],\n"
        "             'query_string': b'', 'http_version': '1.1', 'client': ('127.0.0.1', 1)}\n"
        "    event = json.loads(local.respond(scope, b'')['body'])\n"
        "    print(json.dumps([event.get('routeKey'), event.get('pathParameters')]))\n"
    )
    paths = [f"GET {path}" for path in ROUTES.values() if path]
    others = ["POST /items/new", "GET /items/", "GET /a-b", "HEAD /items", "GET /files/"]
    project = baked(layout="multi")
    command = [sys.executable, "-c", script, json.dumps([*ROUTES, "create-indexes"])]
    done = project.run(
        *command, json.dumps(paths + others), env={"PYTHONPATH": str(project.path / "scripts")}
    )
    taken = [json.loads(line) for line in done.stdout.splitlines()]

    assert [route for route, _ in taken[: len(paths)]] == [
        it for it, path in ROUTES.items() if path
    ]
    assert taken[1][1] == {"id": "7"}
    assert taken[3][1] == {"proxy": "a/b c/d"}
    assert [route for route, _ in taken[len(paths) :]] == ["ANY /items/new", None, None, None, None]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ends_with_its_mongod_whatever_a_handler_waits_for(
    number: signal.Signals, tmp_path: Path
) -> None:
    """By Ctrl-C and the like, which reach all its processes, and by `kill`, which reaches one."""
    project = bake(tmp_path, auth="password")
    path, first, request = handler_of(project)
    path.write_text(path.read_text("utf-8").replace(first, f"    wait(event)\n{first}"))
    with path.open("a") as file:
        file.write(
            "\n\ndef wait(event: dict[str, Any]) -> None:\n"
            '    if "queryStringParameters" in event:\n'
            "        import time\n\n"
            '        print("waiting")\n'
            "        time.sleep(600)\n"
        )
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/mongod").symlink_to(mongod_binary())
    environment = {**SURROUNDINGS, "MONGODB_URI": "", "PATH": f"{tmp_path}/bin:{PATH}"}

    with served(project, environment, number) as local:
        assert "A throwaway MongoDB is at mongodb://127.0.0.1:" in local.terminal
        assert local.get("/") == {"database": "app", "ping": 1.0}
        assert any("mongod --dbpath" in command for command in local.processes().values())
        with socket.create_connection(("127.0.0.1", local.port)) as connection:
            connection.sendall(f"GET {request}?wait HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            local.expect("waiting")
            if number == signal.SIGTERM:
                [server] = [
                    process
                    for process, command in local.processes().items()
                    if "scripts/local.py" in command
                ]
                os.kill(server, number)
                wait_until(lambda: local.ended and not local.processes(), "end of all processes")


@pytest.mark.slow
def test_finds_certificates_beside_the_project(tmp_path: Path) -> None:
    project = bake(tmp_path)
    authority = Authority(tmp_path)
    certificate = authority.issue("mongod.pem", ["localhost"])
    shutil.copy(authority.file, project.path / "ca.pem")
    with Mongod(tls=Tls(certificate, authority.file)) as mongod:
        uri = f"mongodb://{mongod.address}/?tls=true&tlsCAFile=ca.pem"
        with served(project, {"MONGODB_URI": uri}) as local:
            assert local.get("/")["ping"] == 1.0


# In the place of Docker: what the project asks of `docker compose`, with a real mongod.
DOCKER = """\
#!{python}
import os, pathlib, signal, subprocess, sys
folder, port = pathlib.Path("{folder}"), "{port}"
arguments = sys.argv[1:]
with (folder / "calls").open("a") as calls:
    print(*arguments, file=calls)
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
    assert all(call.count("orders-service-throwaway-") == 1 for call in calls)


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


@pytest.mark.slow
def test_refuses_a_port_that_is_taken(baked: Baker, mongod: Mongod) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        command = [sys.executable, "scripts/local.py", str(other.getsockname()[1])]
        done = baked().run(*command, env={"MONGODB_URI": mongod.uri}, check=False)
    assert done.returncode != 0
    assert re.search(r"ERROR: .* Address already in use\n$", done.stderr)


def test_refuses_to_do_without_mongodb(baked: Baker, tmp_path: Path) -> None:
    sentence = "No MongoDB here: set MONGODB_URI, put mongod on the PATH or start Docker.\n"
    assert refused(baked(), "0", MONGODB_URI="", PATH=str(tmp_path)) == sentence


def test_says_that_mongod_did_not_start(baked: Baker, tmp_path: Path) -> None:
    (tmp_path / "mongod").write_text("#!/bin/sh\nexit 48\n")
    (tmp_path / "mongod").chmod(0o755)
    sentence = "mongod ended with 48 instead of starting.\n"
    assert refused(baked(), "0", MONGODB_URI="", PATH=str(tmp_path)) == sentence


@pytest.mark.parametrize(
    ("uri", "sentence"),
    [
        ("mongodb://{address}/", "MongoDB refuses the login: MONGODB_URI must have"),
        ("mongodb://root:hunter2@{address}/", "MongoDB refuses the login: MONGODB_URI must have"),
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
