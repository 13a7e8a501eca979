"""An OpenID Connect provider on loopback, which issues bearer tokens to one client."""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
import threading
import time
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.support.certificates import Authority
from tests.support.servers import LOOPBACK


class Issuer:
    """Serves its configuration, its keys and tokens, over TLS.

    >>> with Issuer() as issuer:
    ...     token = issuer.token(aud="orders", scope="items.read")

    `url` is what its tokens have as `iss`, `authority` the file of the certificate authority to
    trust, `endpoint` where the client with this `client_id` and `client_secret` gets a token.
    """

    client_id = "reports"
    client_secret = "a secret of the client's"  # noqa: S105

    def __enter__(self) -> Self:
        with ExitStack() as resources:
            folder = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="issuer-")))
            authority = Authority(folder)
            self.authority = authority.file
            self.key = rsa.generate_private_key(65537, 2048)
            server = ThreadingHTTPServer((LOOPBACK, 0), self._handler())
            resources.callback(server.server_close)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(authority.issue("issuer.pem", ["localhost"]))
            server.socket = context.wrap_socket(server.socket, server_side=True)
            self.url = f"https://localhost:{server.server_port}"
            self.endpoint = f"{self.url}/token"
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            resources.callback(server.shutdown)
            self._resources = resources.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    def token(self, **claims: Any) -> str:
        """A token that is valid for a minute, with these claims besides or instead."""
        return signed(self.key, self.claims(**claims))

    def claims(self, **claims: Any) -> dict[str, Any]:
        now = int(time.time())
        return {"iss": self.url, "sub": self.client_id, "iat": now, "exp": now + 60, **claims}

    def _answer(self, path: str) -> dict[str, Any] | None:
        numbers = self.key.public_key().public_numbers()
        key = {"kty": "RSA", "kid": KEY_ID, "use": "sig", "alg": "RS256"}
        key |= {"n": _encoded(_bytes(numbers.n)), "e": _encoded(_bytes(numbers.e))}
        answers: dict[str, dict[str, Any]] = {
            "/.well-known/openid-configuration": {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/keys",
                "token_endpoint": self.endpoint,
            },
            "/keys": {"keys": [key]},
        }
        return answers.get(path)

    def _granted(self, authorization: str, form: dict[str, list[str]]) -> dict[str, Any] | None:
        """What the client gets that shows its secret (RFC 6749, 4.4)."""
        secret = f"{self.client_id}:{self.client_secret}".encode()
        if authorization != f"Basic {base64.b64encode(secret).decode()}":
            return None
        if form.get("grant_type") != ["client_credentials"]:
            return None
        token = self.token(aud=form["audience"])
        return {"access_token": token, "token_type": "Bearer", "expires_in": 60}

    def _handler(issuer) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._send(issuer._answer(self.path))

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                form = parse_qs(self.rfile.read(length).decode())
                authorization = self.headers.get("Authorization", "")
                self._send(issuer._granted(authorization, form))

            def _send(self, answer: dict[str, Any] | None) -> None:
                body = json.dumps(answer or {"error": "invalid_client"}).encode()
                self.send_response(200 if answer else 401)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


KEY_ID = "key-1"


def signed(key: rsa.RSAPrivateKey, claims: dict[str, Any]) -> str:
    """A token with these claims (RS256)."""
    text = _unsigned({"alg": "RS256", "kid": KEY_ID}, claims)
    return f"{text}.{_encoded(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def unsigned(claims: dict[str, Any]) -> str:
    """A token that says itself that nobody has signed it."""
    return _unsigned({"alg": "none", "kid": KEY_ID}, claims) + "."


def _unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    return ".".join(_encoded(json.dumps(it).encode()) for it in (header, claims))


def _bytes(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
