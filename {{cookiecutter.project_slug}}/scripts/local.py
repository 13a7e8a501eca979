{%- from 'service.j2' import secret with context -%}
"""Serves the API on this machine: uvicorn takes the requests, handlers get them as events.

    python scripts/local.py [PORT]

The MongoDB is the one at `MONGODB_URI` or a throwaway one. Port 0 is any that is free.
"""

import base64
import importlib
import json
import os
import re
import signal
import sys
import time
import uuid
from asyncio import get_running_loop
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, unquote

import uvicorn

sys.path.insert(0, str(Path(__file__).resolve().parent))  # PYTHONSAFEPATH leaves it out

from mongodb import find_mongodb

SERVICE = "{{ cookiecutter.project_slug }}"
PACKAGE = "{{ cookiecutter.__package }}"
DATABASE = {{ cookiecutter.__database_name_literal }}
REGION = os.environ.get("AWS_REGION") or "{{ cookiecutter.aws_region }}"
SOURCE = Path(__file__).resolve().parent.parent / "src"
ENVIRONMENT = {
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EXECUTION_ENV": "AWS_Lambda_python",  # the driver behaves differently there
    "AWS_LAMBDA_FUNCTION_NAME": SERVICE,
    "AWS_REGION": REGION,
    "MONGODB_DATABASE": os.environ.get("MONGODB_DATABASE") or DATABASE,
    "POWERTOOLS_SERVICE_NAME": SERVICE,
    "PYTHONUNBUFFERED": "1",
    "TZ": "UTC",
}
TIMEOUT = 10  # seconds, as deployed
INVOKE = "POST /2015-03-31/functions/{}/invocations"  # of the Lambda API
JSON = {"content-type": "application/json"}
ONE_AT_A_TIME = ThreadPoolExecutor(max_workers=1)  # as in an execution environment

# Where uvicorn imports this, a reload or Ctrl-C ends the process whatever a handler waits for.
signal.signal(signal.SIGTERM, signal.SIG_DFL)


{% include 'scripts/local.py/' ~ cookiecutter.layout ~ '.py' %}

async def app(scope: Any, receive: Any, send: Any) -> None:
    """Respond to a request, as an ASGI application. uvicorn logs what it raises: that is a 500."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    result = await get_running_loop().run_in_executor(ONE_AT_A_TIME, respond, scope, body)
    headers = {"content-type": "text/plain; charset=utf-8"}
    headers |= {name.lower(): str(value) for name, value in (result.get("headers") or {}).items()}
    pairs = [*headers.items(), *(("set-cookie", cookie) for cookie in result.get("cookies") or [])]
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
    text = result.get("body") or ""
    content = base64.b64decode(text) if result.get("isBase64Encoded") else text.encode()
    status = int(result["statusCode"])
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": content})


def respond(scope: Any, body: bytes) -> dict[str, Any]:
    """Call the handler that the request is for; return a response in payload format 2.0."""
    request, table = f"{scope['method']} {scope['raw_path'].decode()}", routes()
    # The more exactly a route says what it is for, the earlier, as in API Gateway.
    for route in sorted(table, key=lambda it: ("+}" in it, it.count("{"), it[:4] == "ANY ")):
        pattern = re.sub("^ANY", r"\\w+", re.escape(route))
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", pattern)
        pattern = re.sub(r"\\{(\w+)\\\+\\}", r"(?P<\1>.+)", pattern)  # {proxy+}: the rest of it
        if found := re.fullmatch(pattern, request):
            handler = importlib.import_module(table[route]).handler
            direct = route.startswith("POST /2015-03-31/")
            event = json.loads(body or b"{}") if direct else make_event(route, found, scope, body)
            result = handler(event, make_context())
            if not direct and isinstance(result, dict) and "statusCode" in result:
                return result
            return {"statusCode": 200, "headers": JSON, "body": json.dumps(result)}
    return {"statusCode": 404, "headers": JSON, "body": '{"message":"Not Found"}'}


def make_context() -> Any:
    """Build what Lambda tells a handler about its invocation."""
    deadline = time.time() + TIMEOUT
    return SimpleNamespace(
        aws_request_id=str(uuid.uuid4()),
        function_name=SERVICE,
        get_remaining_time_in_millis=lambda: max(0, int((deadline - time.time()) * 1000)),
        invoked_function_arn=f"arn:aws:lambda:{REGION}:123456789012:function:{SERVICE}",
        memory_limit_in_mb="512",
    )


def make_event(route: str, found: re.Match[str], scope: Any, body: bytes) -> dict[str, Any]:
    """Build the event of an HTTP API, payload format 2.0.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
    """
    headers: dict[str, str] = {}
    for key, value in scope["headers"]:
        several = filter(None, (headers.get(key.decode()), value.decode("latin-1")))
        headers[key.decode()] = ",".join(several)
    cookies, query = headers.pop("cookie", ""), scope["query_string"].decode()
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    # API Gateway takes everything else for binary, also what has no type.
    text = re.fullmatch("text/.*|application/(json|xml|javascript)", kind)
    optional = {
        "cookies": re.split("; *", cookies) if cookies else [],
        "queryStringParameters": {
            name: ",".join(values)
            for name, values in parse_qs(query, keep_blank_values=True).items()
        },
        "pathParameters": {name: unquote(value) for name, value in found.groupdict().items()},
        "body": body.decode("utf-8", "replace") if text else base64.b64encode(body).decode(),
    }
    http = {
        "method": scope["method"],
        "path": scope["path"],
        "protocol": f"HTTP/{scope['http_version']}",
        "sourceIp": scope["client"][0],
        "userAgent": headers.get("user-agent", ""),
    }
    return {
        "version": "2.0",
        "routeKey": route,
        "rawPath": scope["path"],
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "http": http,
            "requestId": str(uuid.uuid4()),
            "routeKey": route,
            "stage": "$default",
            "timeEpoch": int(time.time() * 1000),
{%- if cookiecutter.api_auth == "jwt" %}
            **authorizer(headers),
{%- endif %}
        },
        "isBase64Encoded": bool(body) and not text,
    } | {name: value for name, value in optional.items() if value}
{% if cookiecutter.api_auth == "jwt" %}

{% include 'scripts/local.py/authorizer.py' %}
{%- endif %}

def main() -> None:
    """Serve until interrupted."""
    port = " ".join(sys.argv[1:]) or "3000"
    if not port.isdecimal() or int(port) > 65535:
        sys.exit(f"The port must be a number up to 65535, such as 3000, not {port!r}.")
    if hasattr(signal, "SIGHUP"):  # the terminal was closed: as Ctrl-C
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGINT))
    with suppress(KeyboardInterrupt), find_mongodb() as uri:
        if not os.environ.get("MONGODB_URI"):
            print(f"A throwaway MongoDB is at {uri}", flush=True)
        os.environ |= ENVIRONMENT | {"MONGODB_URI": uri}
{%- if secret %}
        os.environ.pop("MONGODB_SECRET_ARN", None)  # the URI says it all
{%- endif %}
{%- if cookiecutter.api_auth == "jwt" %}
        print("Bearer tokens aren't verified here, nor asked for.", flush=True)
{%- endif %}
        options = ["--app-dir", str(SOURCE), "--reload", "--reload-dir", str(SOURCE)]
        uvicorn.main(["local:app", *options, "--lifespan", "off", "--port", port])


if __name__ == "__main__":
    main()
