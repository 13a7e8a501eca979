"""Serves the service on this machine, as API Gateway and Lambda would.

    python scripts/local.py [PORT]

Functions run in Lambda's own runtime client, against the MongoDB at `MONGODB_URI` or a throwaway
one. A request that finds the code changed gets the new one. What functions write, and why they
fail, is on the terminal.
"""

{% if cookiecutter.layout == "multi" -%}
import ast
{% endif -%}
import base64
import importlib.util
import json
import os
import queue
import re
{%- if cookiecutter.layout == "multi-lambda" %}
import runpy
{%- endif %}
import signal
import subprocess
import sys
import threading
import time
import traceback
import uuid
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from mongodb import NoMongoDB, find_mongodb

HOST = "127.0.0.1"
PORT = 3000
TIMEOUT = 10.0  # seconds, as deployed
REGION = "{{ cookiecutter.aws_region }}"
SERVICE = "{{ cookiecutter.project_slug }}"
DATABASE = {{ cookiecutter.__database_name_literal }}
SCRIPTS = Path(__file__).resolve().parent
SOURCE = SCRIPTS.parent / "src"
PACKAGE = "{{ cookiecutter.__package }}"
{%- if cookiecutter.layout == "single" %}

# The API's routes, each with what answers it.
ROUTES = {"GET /": f"{PACKAGE}.app.handler"}
{%- endif %}

Event = dict[str, Any]
Answer = tuple[int, list[tuple[str, str]], bytes]  # status, headers, body


class FunctionError(Exception):
    """A function failed. What it has to say is on the terminal."""


class RuntimeApi(ThreadingHTTPServer):
    """Hands events to one process, and takes what comes of them.

    https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
    """

    def __init__(self) -> None:
        super().__init__((HOST, 0), RuntimeRequest)
        self.events: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.outcomes: queue.SimpleQueue[tuple[bool, bytes]] = queue.SimpleQueue()
        self.deadline: float | None = None  # of the event that the process has
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop serving."""
        self.events.put(None)  # for a request that waits for an event
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Leave out that a process has ended in the middle of a request."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class RuntimeRequest(BaseHTTPRequestHandler):
    """One call by the runtime client."""

    server: RuntimeApi
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Wait for an event and hand it over."""
        event = self.server.events.get()
        if event is None:
            self.close_connection = True
            return
        self.server.deadline = time.time() + TIMEOUT
        self.send_response(200)
        self.send_header("lambda-runtime-aws-request-id", str(uuid.uuid4()))
        self.send_header("lambda-runtime-deadline-ms", str(int(self.server.deadline * 1000)))
        arn = f"arn:aws:lambda:{REGION}:123456789012:function:{SERVICE}"
        self.send_header("lambda-runtime-invoked-function-arn", arn)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(event)))
        self.end_headers()
        self.wfile.write(event)

    def do_POST(self) -> None:
        """Take a result or an error."""
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.outcomes.put((self.path.endswith("/response"), body))
        self.send_response(202)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class ExecutionEnvironment:
    """A process that loads a handler once and calls it for one event after the other."""

    def __init__(self, handler: str, function_name: str, uri: str) -> None:
        self.code = snapshot()
        self._api = RuntimeApi()
        path = [str(SOURCE)]
        if importlib.util.find_spec("runtime_client") is None:  # part of awslambdaric, on Linux
            path.append(str(SCRIPTS / "portable"))
        environment = {
            **os.environ,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_LAMBDA_FUNCTION_NAME": function_name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_RUNTIME_API": f"{HOST}:{self._api.server_port}",
            "AWS_REGION": os.environ.get("AWS_REGION", REGION),
            "LAMBDA_TASK_ROOT": str(SOURCE),
            "MONGODB_DATABASE": os.environ.get("MONGODB_DATABASE") or DATABASE,
            "MONGODB_URI": uri,
            "POWERTOOLS_SERVICE_NAME": SERVICE,
            "PYTHONPATH": os.pathsep.join(path),
            "PYTHONUNBUFFERED": "1",
            "TZ": "UTC",
        }
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-B", "-m", "awslambdaric", handler],
            cwd=SOURCE,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # Ctrl-C is for us
        )
        threading.Thread(target=self._show_output, daemon=True).start()

    @property
    def running(self) -> bool:
        """Whether the process can take an event."""
        return self._process.poll() is None

    def invoke(self, event: Event) -> Any:
        """Return what the handler returns.

        Raises:
            FunctionError: it raised, didn't load, ended the process or took too long.
        """
        self._api.deadline = None
        self._api.events.put(json.dumps(event).encode())
        while True:
            try:
                succeeded, body = self._api.outcomes.get(timeout=0.05)
            except queue.Empty:
                if not self.running:
                    raise FunctionError("The function's process has ended.") from None
                if self._api.deadline and time.time() > self._api.deadline:
                    self.stop()
                    raise FunctionError(f"The function took over {TIMEOUT:g} s.") from None
            else:
                if not succeeded:
                    raise FunctionError("The function failed, see above.")
                return json.loads(body)

    def _show_output(self) -> None:
        """Copy what the process writes to the terminal, line by line."""
        # The runtime client ends the lines of a traceback by carriage returns, so that they make
        # one log event. Text mode turns them into line feeds.
        for line in self._process.stdout or ():
            sys.stderr.write(line)

    def stop(self) -> None:
        """End the process, as Lambda does: without a warning."""
        self._process.kill()
        self._process.wait()
        self._api.close()


def snapshot() -> dict[Path, tuple[int, int]]:
    """Return what tells a changed source file from the same: its time and its size."""
    stats = {path: path.stat() for path in SOURCE.rglob("*.py")}
    return {path: (stat.st_mtime_ns, stat.st_size) for path, stat in stats.items()}


class Function:
    """A Lambda function: one execution environment at a time, made when it is needed."""

    def __init__(self, handler: str, name: str, uri: str) -> None:
        self._settings = handler, name, uri
        self._environment: ExecutionEnvironment | None = None
        self._lock = threading.Lock()

    def invoke(self, event: Event) -> Any:
        """Return what the handler returns, in its newest version.

        Raises:
            FunctionError: it failed.
        """
        with self._lock:
            found = self._environment
            if found and not (found.running and found.code == snapshot()):
                self.stop()
            self._environment = self._environment or ExecutionEnvironment(*self._settings)
            return self._environment.invoke(event)

    def stop(self) -> None:
        """End the execution environment."""
        if self._environment:
            self._environment.stop()
            self._environment = None


class Gateway(ThreadingHTTPServer):
    """Turns HTTP requests into invocations, as API Gateway does, and takes direct ones."""

    def __init__(self, port: int) -> None:
        super().__init__((HOST, port), Request)
        self.uri = ""
        self._functions: dict[str, Function] = {}
        self._lock = threading.Lock()

    def function(self, handler: str) -> Function:
        """Return the function with that handler."""
        with self._lock:
            if handler not in self._functions:
                self._functions[handler] = Function(handler, function_name(handler), self.uri)
            return self._functions[handler]

    def close(self) -> None:
        """Stop serving and end the functions."""
        self.server_close()
        for function in self._functions.values():
            function.stop()

{% if cookiecutter.layout == "multi-lambda" %}
def routes() -> dict[str, str]:
    """Return the API's routes, each with the handler that answers it."""
    found = runpy.run_path(str(SOURCE / PACKAGE / "functions/__init__.py"))["ROUTES"]
    return {route: f"{PACKAGE}.functions.{name}.handler" for route, name in found.items()}


def function_name(handler: str) -> str:
    """Return the name of the function with that handler."""
    return f"{SERVICE}-{handler.split('.')[-2].replace('_', '-')}"


def function_handler(name: str) -> str | None:
    """Return the handler of the function with that name."""
    for path in (SOURCE / PACKAGE / "functions").glob("[!_]*.py"):
        handler = f"{PACKAGE}.functions.{path.stem}.handler"
        if function_name(handler) == name:
            return handler
    return None
{%- else %}
def routes() -> dict[str, str]:
    """Return the API's routes, each with the handler that answers it."""
{%- if cookiecutter.layout == "multi" %}
    for node in ast.parse((SOURCE / PACKAGE / "app.py").read_text("utf-8")).body:
        match node:
            case ast.Assign([ast.Name("FUNCTIONS")], ast.Dict(keys)):
                found = [ast.literal_eval(key) for key in keys if key]
                return dict.fromkeys(found, f"{PACKAGE}.app.handler")
    raise LookupError("app.py has no FUNCTIONS")
{%- else %}
    return ROUTES
{%- endif %}


def function_name(handler: str) -> str:
    """Return the name of the function with that handler."""
    return SERVICE


def function_handler(name: str) -> str | None:
    """Return the handler of the function with that name."""
    return f"{PACKAGE}.app.handler" if name == SERVICE else None
{%- endif %}


def match(route: str, method: str, path: str) -> dict[str, str] | None:
    """Return the path's parameters, or None if the route isn't the request's."""
    route_method, _, pattern = route.partition(" ")
    if route_method not in (method, "ANY"):
        return None
    expected, given = pattern.split("/"), path.split("/")
    parameters = {}
    for index, part in enumerate(expected):
        if index >= len(given):
            return None
        if part.endswith("+}"):
            parameters[part[1:-2]] = unquote("/".join(given[index:]))
            return parameters
        if part.startswith("{") and given[index]:
            parameters[part[1:-1]] = unquote(given[index])
        elif part != given[index]:
            return None
    return parameters if len(expected) == len(given) else None


def by_precedence(route: str) -> tuple[bool, int, bool]:
    """Sort routes as API Gateway does: the more exactly they say what they are for, the earlier."""
    return "+}" in route, route.count("{"), route.startswith("ANY")


class Request(BaseHTTPRequestHandler):
    """One HTTP request."""

    server: Gateway
    server_version = "local"
    error_content_type = "application/json"
    error_message_format = '{"message": "Bad Request"}'

    def answer(self) -> None:
        """Send what comes of it."""
        try:
            status, headers, body = self.invoke()
        except FunctionError as error:
            print(error, file=sys.stderr)
            status, headers, body = failure(500, "Internal Server Error")
        except Exception:
            traceback.print_exc()
            status, headers, body = failure(500, "Internal Server Error")
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_DELETE = do_GET = do_HEAD = do_OPTIONS = do_PATCH = do_POST = do_PUT = answer

    def invoke(self) -> Answer:
        """Invoke the function that the request is for."""
        if "transfer-encoding" in self.headers:
            return failure(411, "Length Required")
        length = self.headers.get("content-length", "0")
        if not re.fullmatch("[0-9]{1,9}", length):
            return failure(400, "Bad Request")
        if int(length) > 10_000_000:
            return failure(413, "Request Entity Too Large")
        body = self.rfile.read(int(length))
        url = urlsplit(self.path)

        # As the Lambda API has it, for what isn't invoked by HTTP.
        if direct := re.fullmatch("/2015-03-31/functions/([^/]+)/invocations", url.path):
            handler = function_handler(direct[1])
            if handler is None:
                return failure(404, "Function not found")
            try:
                event = json.loads(body or b"{}")
            except ValueError:
                return failure(400, "The event must be JSON.")
            result = self.server.function(handler).invoke(event)
            return 200, [("content-type", "application/json")], json.dumps(result).encode()

        known = routes()
        for route in sorted(known, key=by_precedence):
            parameters = match(route, self.command, url.path)
            if parameters is not None:
                event = make_event(self.command, url.path, url.query, self.headers, body)
                event["routeKey"] = event["requestContext"]["routeKey"] = route
                if parameters:
                    event["pathParameters"] = parameters
                return http_answer(self.server.function(known[route]).invoke(event))
        return failure(404, "Not Found")


def make_event(method: str, path: str, query: str, headers: Message, body: bytes) -> Event:
    """Build an event of an HTTP API, payload format 2.0.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
    """
    now = time.time()
    names = {name.lower() for name in headers}
    event: Event = {
        "version": "2.0",
        "rawPath": unquote(path),
        "rawQueryString": query,
        "headers": {
            name: ",".join(headers.get_all(name, [])) for name in sorted(names - {"cookie"})
        },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "local",
            "domainName": "localhost",
            "domainPrefix": "localhost",
            "http": {
                "method": method,
                "path": unquote(path),
                "protocol": "HTTP/1.1",
                "sourceIp": HOST,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": str(uuid.uuid4()),
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": False,
    }
    if cookies := headers.get_all("cookie"):
        event["cookies"] = [cookie.strip() for line in cookies for cookie in line.split(";")]
    if values := parse_qs(query, keep_blank_values=True):
        event["queryStringParameters"] = {name: ",".join(given) for name, given in values.items()}
    if body:
        # API Gateway takes everything else for binary, also what has no type.
        text = r"text/.*|application/(json|xml|javascript)"
        if "content-type" in names and re.fullmatch(text, headers.get_content_type()):
            event["body"] = body.decode("utf-8", "replace")
        else:
            event |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    return event


def http_answer(result: Any) -> Answer:
    """Turn what a function returns into an HTTP answer, as payload format 2.0 has it."""
    if not isinstance(result, dict) or "statusCode" not in result:
        return 200, [("content-type", "application/json")], json.dumps(result).encode()
    body = result.get("body") or ""
    content = base64.b64decode(body) if result.get("isBase64Encoded") else body.encode()
    headers = [(name, str(value)) for name, value in (result.get("headers") or {}).items()]
    headers += [("set-cookie", cookie) for cookie in result.get("cookies") or []]
    return int(result["statusCode"]), headers, content


def failure(status: int, message: str) -> Answer:
    """Build an answer of API Gateway's own."""
    return status, [("content-type", "application/json")], json.dumps({"message": message}).encode()


def port_argument(arguments: list[str]) -> int:
    """Return the port, or end the program."""
    [text] = arguments or [str(PORT)]
    if not re.fullmatch("[0-9]{1,5}", text) or int(text) > 65535:
        sys.exit(f"The port must be a number from 1 to 65535, such as {PORT}, not {text!r}.")
    return int(text)


def main() -> None:
    """Serve until interrupted."""
    if sys.platform == "win32":
        sys.exit("Lambda's runtime client doesn't run on Windows: use WSL.")
    port = port_argument(sys.argv[1:])
    try:
        gateway = Gateway(port)
    except OSError as error:
        sys.exit(f"Port {port} can't be had, {error.strerror}. Try: make local port={port + 1}")
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, lambda *_: sys.exit())
    try:
        with find_mongodb() as gateway.uri:
            address = f"http://{HOST}:{gateway.server_port}"
            print(f"Serving {SERVICE} at {address}. Ctrl-C ends it.", flush=True)
            print(f"MongoDB: {'MONGODB_URI' if os.environ.get('MONGODB_URI') else gateway.uri}")
            try:
                gateway.serve_forever()
            finally:
                gateway.close()
    except KeyboardInterrupt:
        pass
    except NoMongoDB as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
