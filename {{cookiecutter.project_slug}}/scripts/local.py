"""Serves the API on this machine: uvicorn takes the requests, handlers get them as in Lambda.

    python scripts/local.py [PORT]

The MongoDB is the one at `MONGODB_URI` or a throwaway one. Port 0 is any that is free.
"""

import base64
import importlib
import json
import os
import re
import signal
import socket
import sys
import time
import traceback
import uuid
from asyncio import get_running_loop
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, unquote

import uvicorn
from uvicorn.supervisors import ChangeReload

sys.path.insert(0, str(Path(__file__).resolve().parent))  # PYTHONSAFEPATH leaves it out

from mongodb import NoMongoDB, find_mongodb

SERVICE = "{{ cookiecutter.project_slug }}"
PACKAGE = "{{ cookiecutter.__package }}"
SOURCE = Path(__file__).resolve().parent.parent / "src"
sys.path.insert(0, str(SOURCE))  # first, as in Lambda

HOST = "127.0.0.1"
ACCOUNT = "123456789012"
DATABASE = {{ cookiecutter.__database_name_literal }}
TIMEOUT = 10  # seconds, as deployed
JSON = {"content-type": "application/json"}
# One invocation at a time, as in an execution environment.
ENVIRONMENT = ThreadPoolExecutor(max_workers=1)

Response = tuple[dict[str, Any], bytes]  # status and headers, body


{% include 'scripts/local/' ~ cookiecutter.layout ~ '.py' %}

async def app(scope: Any, receive: Any, send: Any) -> None:
    """Respond to a request, as an ASGI application."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + message["body"], message["more_body"]
    start, content = await get_running_loop().run_in_executor(ENVIRONMENT, respond, scope, body)
    await send({"type": "http.response.start"} | start)
    await send({"type": "http.response.body", "body": content})


def respond(scope: Any, body: bytes) -> Response:
    """Invoke the function that the request is for. Why it fails is for the terminal only."""
    method, path = scope["method"], scope["raw_path"].decode()
    try:
{%- if cookiecutter.layout != "single" %}
        # As the Lambda API has it, for what isn't invoked by HTTP.
        direct = re.fullmatch("/2015-03-31/functions/([^/]+)/invocations", path)
        if direct and direct[1] in functions():
            result = invoke(direct[1], json.loads(body or b"{}"))
            return to_http({"statusCode": 200, "headers": JSON, "body": json.dumps(result)})
{%- endif %}
        table = routes()
        # The more exactly a route says what it is for, the earlier, as in API Gateway.
        for route in sorted(table, key=lambda it: ("+}" in it, it.count("{"), it[:4] == "ANY ")):
            if (parameters := match(route, method, path)) is not None:
                event = make_event(route, parameters, scope, body)
                return to_http(invoke(table[route], event))
    except BaseException:  # a handler may even exit
        traceback.print_exc()
        message = '{"message":"Internal Server Error"}'
        return to_http({"statusCode": 500, "headers": JSON, "body": message})
    return to_http({"statusCode": 404, "headers": JSON, "body": '{"message":"Not Found"}'})


def match(route: str, method: str, path: str) -> dict[str, str] | None:
    """Return the path's parameters, or None if the route isn't the request's."""
    route_method, _, pattern = route.partition(" ")
    pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(pattern))
    pattern = re.sub(r"\\{(\w+)\\\+\\}", r"(?P<\1>.+)", pattern)  # {proxy+}: the rest of the path
    found = re.fullmatch(pattern, path) if route_method in (method, "ANY") else None
    return found and {name: unquote(value) for name, value in found.groupdict().items()}


def invoke(function: str, event: Any) -> Any:
    """Call a handler. The first call imports it, as Lambda does when an environment starts."""
    module = functions()[function]
    os.environ |= {
        "_HANDLER": f"{module}.handler",
        "AWS_LAMBDA_FUNCTION_NAME": function,
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function}",
    }
    handler = importlib.import_module(module).handler
    deadline = time.time() + TIMEOUT
    arn = f"arn:aws:lambda:{os.environ['AWS_REGION']}:{ACCOUNT}:function:{function}"
    context = SimpleNamespace(
        aws_request_id=str(uuid.uuid4()),
        client_context=None,
        function_name=function,
        function_version=os.environ["AWS_LAMBDA_FUNCTION_VERSION"],
        get_remaining_time_in_millis=lambda: max(0, int((deadline - time.time()) * 1000)),
        identity=SimpleNamespace(cognito_identity_id=None, cognito_identity_pool_id=None),
        invoked_function_arn=arn,
        log_group_name=os.environ["AWS_LAMBDA_LOG_GROUP_NAME"],
        log_stream_name=os.environ["AWS_LAMBDA_LOG_STREAM_NAME"],
        memory_limit_in_mb=os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"],
        tenant_id=None,
    )
    return json.loads(json.dumps(handler(event, context)))  # nothing but JSON leaves Lambda


def make_event(route: str, parameters: dict[str, str], scope: Any, body: bytes) -> dict[str, Any]:
    """Build the event of an HTTP API, payload format 2.0.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
    """
    now, path = time.time(), scope["path"]
    query = scope["query_string"].decode()
    headers = joined((name.decode(), value.decode("latin-1")) for name, value in scope["headers"])
    headers |= {"x-forwarded-for": HOST, "x-forwarded-proto": "http"}
    cookies = headers.pop("cookie", "")
    http = {"method": scope["method"], "path": path, "protocol": f"HTTP/{scope['http_version']}"}
    http |= {"sourceIp": HOST, "userAgent": headers.get("user-agent", "")}
    context: dict[str, Any] = {"accountId": ACCOUNT, "apiId": "local", "http": http}
    context |= {"domainName": "localhost", "domainPrefix": "localhost"}
    context |= {"routeKey": route, "stage": "$default"}
    context |= {"requestId": str(uuid.uuid4()), "timeEpoch": int(now * 1000)}
    context["time"] = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now))
    event = {"version": "2.0", "routeKey": route, "rawPath": path, "rawQueryString": query}
    event |= {"headers": headers, "requestContext": context, "isBase64Encoded": False}
    if cookies:
        event["cookies"] = [cookie.strip() for cookie in cookies.split(";")]
    if query:
        event["queryStringParameters"] = joined(parse_qsl(query, keep_blank_values=True))
    if parameters:
        event["pathParameters"] = parameters
    if body:
        # API Gateway takes everything else for binary, also what has no type.
        text = r"(text/.*|application/(json|xml|javascript))\s*(;.*)?"
        if re.fullmatch(text, headers.get("content-type", ""), re.IGNORECASE):
            event["body"] = body.decode("utf-8", "replace")
        else:
            event |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    return event


def joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the values by name, those of the same name with commas between them."""
    values: dict[str, str] = {}
    for name, value in pairs:
        values[name] = f"{values[name]},{value}" if name in values else value
    return values


def to_http(result: Any) -> Response:
    """Turn what a handler returns into a response, as payload format 2.0 has it."""
    if not isinstance(result, dict) or "statusCode" not in result:
        body = result if isinstance(result, str) else json.dumps(result)
        result = {"statusCode": 200, "headers": JSON, "body": body}
    body = result.get("body") or ""
    content = base64.b64decode(body) if result.get("isBase64Encoded") else body.encode()
    headers = {"content-type": "text/plain; charset=utf-8"}
    headers |= {name.lower(): str(value) for name, value in (result.get("headers") or {}).items()}
    if content:
        headers["content-length"] = str(len(content))
    pairs = [*headers.items(), *(("set-cookie", cookie) for cookie in result.get("cookies") or [])]
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
    return {"status": int(result["statusCode"]), "headers": encoded}, content


def variables(uri: str) -> dict[str, str]:
    """Return what deployed functions find in their environment.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    mine = os.environ
    region = mine.get("AWS_REGION") or mine.get("AWS_DEFAULT_REGION") or "{{ cookiecutter.aws_region }}"
    return {
        "AWS_DEFAULT_REGION": region,
        # The driver knows by it that it is in Lambda.
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python3.{sys.version_info.minor}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_STREAM_NAME": "local",
        "AWS_REGION": region,
        "LAMBDA_TASK_ROOT": str(SOURCE),
        "MONGODB_DATABASE": mine.get("MONGODB_DATABASE") or DATABASE,
        "MONGODB_URI": uri,
        "POWERTOOLS_SERVICE_NAME": SERVICE,
        "POWERTOOLS_TRACE_DISABLED": "true",  # X-Ray's daemon isn't here
        "PYTHONUNBUFFERED": "1",
        "TZ": "UTC",
    }


class Server(uvicorn.Server):
    """Ends at once, whatever a handler is waiting for."""

    def handle_exit(self, *_: Any) -> None:
        os._exit(0)


def listen(port: str) -> socket.socket:
    """Return a socket that listens at the port, or end the program."""
    if not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65535:
        sys.exit(f"The port must be a number up to 65535, such as 3000, not {port!r}.")
    try:
        return socket.create_server((HOST, int(port)))
    except OSError as error:
        why, other = str(error.strerror).partition(" (")[0], int(port) % 65535 + 1
        sys.exit(f"Port {port}: {why}. Try another, such as make local port={other}.")


def main() -> None:
    """Serve until interrupted."""
    # All that ends a program does so as Ctrl-C, which the reloader takes over once it runs.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGINT))
    given = os.environ.get("MONGODB_URI")
{%- if cookiecutter.auth == "password" %}
    os.environ.pop("MONGODB_SECRET_ARN", None)  # the URI says it all
{%- endif %}
    try:
        with listen(" ".join(sys.argv[1:]) or "3000") as listener, find_mongodb() as uri:
            os.environ |= variables(uri)
            address = f"http://{HOST}:{listener.getsockname()[1]}"
            mongodb = "the MongoDB at MONGODB_URI" if given else f"a throwaway MongoDB, {uri}"
            print(f"Serving {SERVICE} at {address} with {mongodb}. Ctrl-C ends it.", flush=True)
            options: dict[str, Any] = {"reload": True, "reload_dirs": [str(SOURCE)]}
            config = uvicorn.Config("local:app", lifespan="off", log_level="warning", **options)
            ChangeReload(config, Server(config).run, [listener]).run()
    except NoMongoDB as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
