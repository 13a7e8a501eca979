"""Serves the service on this machine, as API Gateway and Lambda would.

    python scripts/local.py [PORT]

Functions run in Lambda's own runtime client, against the MongoDB at `MONGODB_URI` or a throwaway
one. A request that finds the code changed gets the new one. What functions write, and why they
fail, is on the terminal. Port 0 is any that is free.
"""

import base64
import json
import os
import re
import signal
import sys
import threading
import time
import traceback
import uuid
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from execution_environment import ExecutionEnvironment, FunctionError
from mongodb import NoMongoDB, find_mongodb
from routes import SERVICE, handlers, routes

HOST = "127.0.0.1"
PORT = 3000
DATABASE = {{ cookiecutter.__database_name_literal }}

Event = dict[str, Any]
Answer = tuple[int, list[tuple[str, str]], bytes]  # status, headers, body


class Function:
    """A Lambda function: one execution environment at a time, made when it is needed."""

    def __init__(self, name: str, uri: str) -> None:
        self._name = name
        self._variables = {
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_REGION": os.environ.get("AWS_REGION", "{{ cookiecutter.aws_region }}"),
            "MONGODB_DATABASE": os.environ.get("MONGODB_DATABASE", DATABASE),
            "MONGODB_URI": uri,
            "POWERTOOLS_SERVICE_NAME": SERVICE,
        }
        self._environment: ExecutionEnvironment | None = None
        self._lock = threading.Lock()

    def invoke(self, event: Event) -> Any:
        """Return what the handler returns, in its newest version.

        Raises:
            FunctionError: it failed.
        """
        with self._lock:
            if self._environment and not self._environment.usable:
                self.stop()
            if self._environment is None:
                handler = handlers()[self._name]
                self._environment = ExecutionEnvironment(handler, self._variables)
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

    def function(self, name: str) -> Function:
        """Return the function of that name."""
        with self._lock:
            if name not in self._functions:
                self._functions[name] = Function(name, self.uri)
            return self._functions[name]

    def close(self) -> None:
        """Stop serving and end the functions."""
        self.server_close()
        for function in self._functions.values():
            function.stop()


class Request(BaseHTTPRequestHandler):
    """One HTTP request."""

    server: Gateway

    def answer(self) -> None:
        """Send what comes of it. What goes wrong is for the terminal, not for the answer."""
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
        if status != 204:
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_DELETE = do_GET = do_HEAD = do_OPTIONS = do_PATCH = do_POST = do_PUT = answer

    def invoke(self) -> Answer:
        """Invoke the function that the request is for."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        url = urlsplit(self.path)

        # As the Lambda API has it, for what isn't invoked by HTTP.
        if direct := re.fullmatch("/2015-03-31/functions/([^/]+)/invocations", url.path):
            if direct[1] not in handlers():
                return failure(404, f"The functions are {', '.join(sorted(handlers()))}.")
            result = self.server.function(direct[1]).invoke(json.loads(body or b"{}"))
            return 200, [("content-type", "application/json")], json.dumps(result).encode()

        known = routes()
        for route in sorted(known, key=by_precedence):
            if (parameters := match(route, self.command, url.path)) is not None:
                event = make_event(route, self.command, url.path, url.query, self.headers, body)
                if parameters:
                    event["pathParameters"] = parameters
                return http_answer(self.server.function(known[route]).invoke(event))
        return failure(404, "Not Found")


def match(route: str, method: str, path: str) -> dict[str, str] | None:
    """Return the path's parameters, or None if the route isn't the request's."""
    route_method, _, pattern = route.partition(" ")
    if route_method not in (method, "ANY"):
        return None
    pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(pattern))
    pattern = re.sub(r"\\{(\w+)\\\+\\}", r"(?P<\1>.+)", pattern)  # {proxy+}: the rest of the path
    found = re.fullmatch(pattern, path)
    return found and {name: unquote(value) for name, value in found.groupdict().items()}


def by_precedence(route: str) -> tuple[bool, int, bool]:
    """Sort routes as API Gateway does: the more exactly they say what they are for, the earlier."""
    return "+}" in route, route.count("{"), route.startswith("ANY")


def make_event(
    route: str, method: str, path: str, query: str, headers: Message, body: bytes
) -> Event:
    """Build an event of an HTTP API, payload format 2.0.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
    """
    now = time.time()
    names = {name.lower() for name in headers} - {"cookie"}
    event: Event = {
        "version": "2.0",
        "routeKey": route,
        "rawPath": unquote(path),
        "rawQueryString": query,
        "headers": {name: ",".join(headers.get_all(name, [])) for name in sorted(names)},
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
            "routeKey": route,
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


def parse_port(text: str) -> int:
    """Return the port, or end the program."""
    if not re.fullmatch("[0-9]{1,5}", text) or int(text) > 65535:
        sys.exit(f"The port must be a number up to 65535, such as {PORT}, not {text!r}.")
    return int(text)


def end(*_: Any) -> None:
    """End the program, once."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)  # or a second Ctrl-C would leave processes behind
    sys.exit()


def main() -> None:
    """Serve until interrupted."""
    if sys.platform == "win32":
        sys.exit("Lambda's runtime client doesn't run on Windows: use WSL.")
    port = parse_port(" ".join(sys.argv[1:]) or str(PORT))
    try:
        gateway = Gateway(port)
    except OSError as error:
        other = port % 65535 + 1
        sys.exit(f"Port {port}: {error.strerror}. Try another, such as make local port={other}.")
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, end)
    try:
        with find_mongodb() as gateway.uri:
            address = f"http://{HOST}:{gateway.server_port}"
            mongodb = "at MONGODB_URI" if os.environ.get("MONGODB_URI") else gateway.uri
            print(f"MongoDB: {mongodb}")
            print(f"Serving {SERVICE} at {address}. Ctrl-C ends it.", flush=True)
            try:
                gateway.serve_forever()
            finally:
                gateway.close()
    except NoMongoDB as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
