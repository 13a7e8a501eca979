"""openapi.json says what the API does: schemathesis tries, and each response it lists is seen.

And `make local` shows it on a page, which a browser looks at and sends a request from.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis

from tests.conftest import Baker
from tests.support.baking import OPTIONS, TEMPLATE, BakedProject, bake
from tests.support.here import NEEDS_A_SHELL
from tests.support.mongod import Mongod
from tests.test_local import Local, served

pytestmark = [NEEDS_A_SHELL, pytest.mark.slow]

LAYOUTS = [it for it in OPTIONS["layout"] if it != "single"]  # which has no contract

# What isn't the project's to say.
OTHERS = {
    "multi": ["unsupported_method"],  # API Gateway responds with 404, as to any other path
    "multi-lambda": ["unsupported_method"],
    "web": ["allow_header_conformance"],  # Starlette's has the methods of one of a path's routes
}
HOOKS = '''
"""JSON Schema takes 3.0 for an integer. The API doesn't, and no schema can say so."""

import schemathesis


@schemathesis.hook
def map_body(context, body):
    if not isinstance(body, dict):
        return body
    whole = {name: int(it) for name, it in body.items() if isinstance(it, float) and it % 1 == 0}
    return body | whole
'''


LOOK = TEMPLATE / "tests/support/swagger_ui.mjs"
PICTURE = TEMPLATE / ".build/api.png"
"""The page with a response on it. The README has a copy: docs/api.png."""


@pytest.fixture(scope="module")
def database() -> Iterator[Mongod]:
    """A MongoDB of these tests alone, which fails as they say."""
    with Mongod(fail_points=True) as server:
        yield server


@contextmanager
def service(project: BakedProject, database: Mongod) -> Iterator[Local]:
    """The project, served by `make local`, with its indexes."""
    name = project.answers["project_slug"]
    if project.answers["layout"] == "multi-lambda":
        name += "-create-indexes"
    environment = {
        "MONGODB_URI": database.uri,
        "MONGODB_DATABASE": project.answers["layout"],
    }
    with served(project, environment) as local:
        direct = f"/2015-03-31/functions/{name}/invocations"
        assert local.call("POST", direct, {"routeKey": "create-indexes"})[0] == 200
        yield local


def examine(
    project: BakedProject, local: Local, folder: Path, *options: str
) -> tuple[dict[str, Any], str]:
    """Run schemathesis by the description that is served; return its report, and what it prints."""
    (folder / "hooks.py").write_text(HOOKS, "utf-8")
    (folder / "schemathesis.toml").write_text(
        'hooks = "hooks.py"\ncache.enabled = false\n', "utf-8"
    )
    report = folder / "report.json"
    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{url(local)}/openapi.json"),
        "--generation-deterministic",
        *("--exclude-checks", ",".join(OTHERS[project.answers["layout"]])),
        *("--report", "json", "--report-json-path", str(report), *options),
    ]
    done = subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, encoding="utf-8", check=False
    )
    return json.loads(report.read_text("utf-8")), done.stdout + local.terminal


def url(local: Local) -> str:
    return f"http://127.0.0.1:{local.port}"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_keeps_to_its_contract(
    layout: str, baked: Baker, database: Mongod, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    project = baked(layout=layout)
    with service(project, database) as local:
        assert local.get("/openapi.json") == json.loads(project.read("openapi.json"))
        report, output = examine(project, local, tmp_path, "--max-examples", "15")

    assert report["failures"] == report["errors"] == [], output
    assert set(report["phases"]) == {"examples", "coverage", "fuzzing", "stateful"}
    assert {it["status"] for it in report["phases"].values()} == {"success"}, output
    assert report["operations"]["tested"] == report["operations"]["total"] == 4
    cases = report["test_cases"]
    assert cases["generated"] > 100
    assert cases["without_checks"] == 0
    figure(f"{cases['generated']} requests to 4 operations, none outside the contract")


def test_what_is_outside_of_the_contract_is_found(database: Mongod, tmp_path: Path) -> None:
    project = bake(tmp_path, layout="multi")
    file = project.source / "functions/get_item.py"
    broken = file.read_text("utf-8").replace("NotFoundError", "BadRequestError")
    file.write_text(broken, "utf-8")
    with service(project, database) as local:
        path = ("--include-path", "/items/{id}", "--phases", "coverage")
        report, _ = examine(project, local, tmp_path, *path)

    assert "Undocumented status code" in {it["title"] for it in report["failures"]}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_response_is_as_described(layout: str, baked: Baker, database: Mongod) -> None:
    """Those, too, that no valid request brings about."""
    project = baked(layout=layout)
    described = {
        (method.upper(), path, int(status))
        for path, operations in project.parse("openapi.json")["paths"].items()
        for method, operation in operations.items()
        for status in operation["responses"]
    }
    with service(project, database) as local:
        schema = schemathesis.openapi.from_url(f"{url(local)}/openapi.json")
        seen = set()
        for method, path, response in responses(url(local), database):
            schema[path][method].validate_response(response)
            seen.add((method, path, response.status_code))
            if response.status_code == 503:
                assert int(response.headers["Retry-After"]) > 0

    assert seen == described


def responses(url: str, database: Mongod) -> Iterator[tuple[str, str, requests.Response]]:
    """Yield method, path and response of requests that bring about everything."""

    def send(method: str, path: str, **options: Any) -> tuple[str, str, requests.Response]:
        target = url + path.format(id=options.pop("id", ""))
        return method, path, requests.request(method, target, timeout=30, **options)

    item = {"sku": "MUG", "name": "Mug"}
    for body in (item, item, {"sku": "MUG"}, item | {"name": "x" * 100_000}):
        created = send("POST", "/items", json=body)
        yield created
    yield send("POST", "/items", data=b"sku=MUG", headers={"content-type": "text/plain"})
    yield send("POST", "/items", data=b"\xff", headers={"content-type": "application/pdf"})
    yield send("GET", "/items", params={"limit": "0"})
    page = send("GET", "/items")
    yield page
    one = page[2].json()["items"][0]["id"]
    for method in ("GET", "DELETE"):
        for key in (one, "0" * 24, "x"):
            yield send(method, "/items/{id}", id=key)
    with database.fail("find", "insert", "delete", errorCode=13):  # as without a privilege
        yield send("POST", "/items", json=item)
        yield send("GET", "/items")
        yield send("GET", "/items/{id}", id=one)
        yield send("DELETE", "/items/{id}", id=one)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_page_shows_the_api(layout: str, baked: Baker, database: Mongod) -> None:
    """Without the internet: all that it loads is from here, and is in Powertools' wheel."""
    with service(baked(layout=layout), database) as local:
        page = requests.get(f"{url(local)}/docs", timeout=30)
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html")
        loaded = re.findall(r'(?:src|href|url)[=:] ?"([^"]*)"', page.text)
        kinds = {it: requests.get(url(local) + it, timeout=30) for it in loaded}

    assert {it: response.headers["content-type"] for it, response in kinds.items()} == {
        "/docs/swagger-ui.min.css": "text/css",
        "/docs/swagger-ui-bundle.min.js": "text/javascript",
        "/openapi.json": "application/json",
    }
    assert all(response.status_code == 200 for response in kinds.values())
    assert "://" not in page.text


def test_a_browser_sends_a_request_from_the_page(baked: Baker, database: Mongod) -> None:
    """Look at the picture that it leaves."""
    item = {"sku": "MUG-0042", "name": "Mug"}
    tools = (Path(sys.executable).with_name("node"), LOOK, TEMPLATE / ".tools/mermaid")
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.unlink(missing_ok=True)
    with service(baked(layout="multi"), database) as local:
        database.admin.multi.items.delete_many({})
        command = [*map(str, tools), f"{url(local)}/docs", json.dumps(item), str(PICTURE)]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
        assert done.returncode == 0, done.stderr
        [stored] = local.get("/items?limit=100")["items"]

    shown = json.loads(done.stdout)
    assert shown["title"] == "Orders Service"
    pairs = set(zip(shown["operations"][::2], shown["operations"][1::2], strict=True))
    assert pairs == {
        ("POST", "/items"),
        ("GET", "/items"),
        ("GET", "/items/{id}"),
        ("DELETE", "/items/{id}"),
    }
    assert shown["status"] == "201"
    assert json.loads(shown["answer"]) == stored
    assert stored["sku"] == "MUG-0042"
    assert shown["elsewhere"] == shown["complaints"] == []
    assert PICTURE.read_bytes().startswith(b"\x89PNG")
