"""api_auth=jwt, deployed to a local AWS: whom it lets call, and whom it doesn't."""

import json
import os
import re
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.atlas import Atlas
from tests.support.atlas_control_plane import ControlPlane
from tests.support.baking import BakedProject, bake
from tests.support.desk import Desk
from tests.support.documents import Document
from tests.support.here import HERE
from tests.support.issuer import Issuer, signed, unsigned
from tests.support.local_aws import LocalAws, Response
from tests.test_deploy import add_database_users, deployed

pytestmark = pytest.mark.slow

AUDIENCE = "https://api.example.com"
ORIGIN = "https://app.example.com"
MISSING = "The token must have these scopes: items.read."


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with Issuer() as provider:
        yield provider


@pytest.fixture(scope="module")
def aws(atlas: Atlas, issuer: Issuer) -> Iterator[LocalAws]:
    with LocalAws(atlas.environment, authority=issuer.authority) as account:
        yield account


def scoped(project: BakedProject) -> None:
    """Have `GET` of items ask for a scope, as the project's docs say."""
    document = Document(project.path, project.path / "docs/callers.md")
    path = f"src/{project.package}/functions/list_items.py"
    if project.answers["layout"] == "web":
        [example] = [it for it in document.blocks("python") if path.endswith(it.split()[2])]
        imports, _, endpoint = example.partition("\n\n\n")
        [parameter] = [it for it in endpoint.splitlines() if "Security" in it]
        text = project.read(path)
        text = text.replace("from fastapi", f"{imports}\nfrom fastapi", 1)
        text = text.replace("    context: Context,\n", f"    context: Context,\n{parameter}\n")
    elif project.answers["iac"] == "sam":
        [scopes] = [it for it in document.blocks("yaml") if "AuthorizationScopes" in it]
        path, route = "template.yaml", "            Path: /items\n"
        at = project.read(path).rindex(route) + len(route)
        text = project.read(path)
        text = f"{text[:at]}{re.sub(' # .*', '', scopes).rstrip()}\n{text[at:]}"
    else:
        [example] = [it for it in document.blocks("python") if "authorization_scopes" in it]
        [scopes] = re.findall(r"authorization_scopes=(\[.+?\])", example)
        path, options = "infra/api.py", "integration=integration"
        asked = f'{scopes} if "GET /items" in f"{{method}} {{path}}" else None'
        text = project.read(path)
        text = text.replace(options, f"{options}, authorization_scopes={asked}")
    (project.path / path).write_text(text, "utf-8")


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param({"iac": "sam", "layout": "multi"}, id="sam"),
        pytest.param({"iac": "cdk", "layout": "multi"}, id="cdk"),
        pytest.param({"iac": "sam", "layout": "web"}, id="web"),
    ],
)
def test_who_may_call(
    answers: dict[str, str], tmp_path: Path, atlas: Atlas, aws: LocalAws, issuer: Issuer
) -> None:
    slug = f"orders-{uuid.uuid4().hex[:6]}"
    answers |= {"api_auth": "jwt", "network": "public", "project_slug": slug}
    project = bake(tmp_path, **answers, **HERE)
    scoped(project)
    parameters = {"JwtIssuer": issuer.url, "JwtAudience": f"billing,{AUDIENCE}"}
    with deployed(project, atlas, aws, **parameters, CorsOrigins=ORIGIN) as outputs:
        url, function = outputs["ApiUrl"], outputs["FunctionName"]
        token = issuer.token(aud=AUDIENCE, scope="items.read")

        def call(token: str | None, method: str = "GET", path: str = "/items") -> Response:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            return aws.call(url, method, path, {}, signed=False, headers=headers)

        assert call(token).status == 503  # Atlas doesn't know the function yet
        [caller] = {json.loads(it)["caller"] for it in aws.logs(function) if '"caller"' in it}
        assert caller == issuer.client_id
        add_database_users(project, outputs, atlas, aws)

        accepted = {
            "a valid one": token,
            "one of several audiences": issuer.token(aud=["x", AUDIENCE], scope="items.read"),
            "Cognito's, without aud": issuer.token(client_id="billing", scope="items.read"),
        }
        assert {name: call(it).status for name, it in accepted.items()} == dict.fromkeys(
            accepted, 200
        )
        now, other = int(time.time()), rsa.generate_private_key(65537, 2048)
        valid = issuer.claims(aud=AUDIENCE, scope="items.read")
        refused = {
            "none": None,
            "expired": issuer.token(**valid | {"iat": now - 120, "exp": now - 60}),
            "other audience": issuer.token(**valid | {"aud": "shop"}),
            "other issuer": issuer.token(**valid | {"iss": "https://id.example.com"}),
            "unsigned": unsigned(valid),
            "of another key": signed(other, valid),
        }
        assert {name: call(it).status for name, it in refused.items()} == dict.fromkeys(
            refused, 401
        )
        assert aws.call(url, "GET", "/items").status == 401  # signed by the administrator

        unscoped = issuer.token(aud=AUDIENCE)
        assert call(unscoped).status == 403
        assert call(unscoped, "POST").status == 422  # no item; but this route asks for no scope

        assert allowed(aws, url, ORIGIN) == {"authorization", "content-type"}
        assert allowed(aws, url, "https://evil.example.com") == set()

        [shown] = [
            it
            for it in Document(project.path, project.path / "README.md").blocks("sh")
            if "client_credentials" in it
        ]
        forbidden = {"multi": {"message": "Forbidden"}, "web": {"detail": MISSING}}
        assert follow(shown, url, aws, issuer) == forbidden[answers["layout"]]  # it asks for none


def allowed(aws: LocalAws, url: str, origin: str) -> set[str]:
    """Headers that a page of the origin may send to the API, beyond those of any request."""
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    response = aws.call(url, "OPTIONS", "/items", signed=False, headers=headers)
    if response.headers.get("access-control-allow-origin") != origin:
        return set()
    return set(response.headers["access-control-allow-headers"].split(","))


def follow(block: str, url: str, aws: LocalAws, issuer: Issuer) -> object:
    """Run a block of the README in bash; return the JSON that it ends with."""
    name = (urlsplit(url).hostname or "").partition(".")[0]
    local = f"http://{name}.execute-api.{urlsplit(aws.endpoint).netloc}"
    variables = {
        "CLIENT_ID": issuer.client_id,
        "CLIENT_SECRET": issuer.client_secret,
        "TOKEN_ENDPOINT": issuer.endpoint,
        "CURL_CA_BUNDLE": str(issuer.authority),
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"make() {{ echo {local}; }}\n{block}"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_make_deploy_asks_which_tokens_and_finds_that_one_is_needed(
    tmp_path: Path, atlas: Atlas, aws: LocalAws, issuer: Issuer
) -> None:
    answers = {"api_auth": "jwt", "network": "public", "project_slug": "tokens"}
    project, plane = bake(tmp_path, **answers, **HERE), ControlPlane(atlas, aws)
    with plane.served() as port:
        desk = Desk(tmp_path / "desk", project, plane, port)
        said = desk.run("deploy")
        assert said.returncode == 1
        assert said.stderr.startswith("Tokens: Say once which tokens the API accepts: --jwt-")

        done = desk.run("deploy", "--jwt-issuer", issuer.url, "--jwt-audience", AUDIENCE)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "\nCall             GET / returns 401 without a token, as it must (" in done.stdout
    headers = {"Authorization": f"Bearer {issuer.token(aud=AUDIENCE)}"}
    url = aws.outputs("tokens")["ApiUrl"]
    assert aws.call(url, "GET", "/", signed=False, headers=headers).status == 200
    aws.delete_stack("tokens")
