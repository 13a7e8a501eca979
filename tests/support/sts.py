"""AWS STS as a MongoDB server uses it: whose signature is under this GetCallerIdentity?

A MONGODB-AWS client doesn't call STS. It signs the call and hands the signature over; the
server puts the request together again and sends it. Here the signature is recomputed by hand
(Signature Version 4), not with botocore: the drivers sign with that.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

HOST, REGION = "sts.amazonaws.com", "us-east-1"
_BODY = "Action=GetCallerIdentity&Version=2011-06-15"
_FRESH = timedelta(minutes=5)  # how old AWS lets a signature be
_ROLE_ARN = re.compile(r"arn:aws:iam::\d{12}:role/[\w+=,.@-]+")
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>\w+)/(?P<day>\d{8})/(?P<region>[\w-]+)/sts/aws4_request, "
    r"SignedHeaders=(?P<headers>[a-z0-9;-]+), Signature=(?P<signature>[0-9a-f]{64})"
)


class RefusedError(Exception):
    """STS would answer 403; the message is the reason, which no client gets to see."""


@dataclass(frozen=True)
class Session:
    """Temporary credentials of an assumed role, as a function has them in its environment."""

    role_arn: str
    secret_key: str
    token: str
    expires: datetime | None = None


class Sts:
    """The sessions that exist, by access key."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}

    def add_session(
        self,
        role_arn: str,
        access_key: str,
        secret_key: str,
        session_token: str,
        expires: datetime | None = None,
    ) -> None:
        """Have a role assumed. ValueError without a token (a role always has one), for a role
        below a path (the ARN of its sessions omits it, so nobody can match it), or for an
        access key that is another role's."""
        if not session_token:
            raise ValueError("temporary credentials have a session token")
        if not _ROLE_ARN.fullmatch(role_arn):
            raise ValueError(f"not the ARN of a role without a path: {role_arn}")
        known = self._sessions.get(access_key)
        if known and known.role_arn != role_arn:
            raise ValueError(f"access key of {known.role_arn}, can't be {role_arn}'s too")
        self._sessions[access_key] = Session(role_arn, secret_key, session_token, expires)

    def end_sessions(self, role_arn: str) -> None:
        """Forget a role's sessions: nobody is let in by their credentials."""
        self._sessions = {
            key: session for key, session in self._sessions.items() if session.role_arn != role_arn
        }

    def caller(self, authorization: str, date: str, token: str | None, nonce: bytes) -> str:
        """The role ARN behind a signed GetCallerIdentity; RefusedError if it doesn't hold.

        The three strings are the request's Authorization, X-Amz-Date and X-Amz-Security-Token,
        `nonce` the server's challenge. Signed must be exactly the headers MongoDB asks for.
        """
        claim = _AUTHORIZATION.fullmatch(authorization)
        if not claim:
            raise RefusedError("malformed authorization")
        session = self._sessions.get(claim["key"])
        if not session:
            raise RefusedError("unknown access key")
        if not hmac.compare_digest(session.token, token or ""):
            raise RefusedError("wrong session token")
        now = datetime.now(UTC)
        if session.expires and now >= session.expires:
            raise RefusedError("expired session")

        headers = {
            "content-length": str(len(_BODY)),
            "content-type": "application/x-www-form-urlencoded",
            "host": HOST,
            "x-amz-date": date,
            "x-amz-security-token": session.token,
            "x-mongodb-gs2-cb-flag": "n",
            "x-mongodb-server-nonce": base64.b64encode(nonce).decode(),
        }
        if claim["headers"] != ";".join(sorted(headers)):
            raise RefusedError(f"wrong signed headers {claim['headers']}")
        try:
            signed_at = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except ValueError:
            raise RefusedError("malformed date") from None
        if abs(now - signed_at) > _FRESH or not date.startswith(claim["day"]):
            raise RefusedError("stale signature")
        if claim["region"] != REGION:
            raise RefusedError("wrong region")
        expected = _signature(session.secret_key, date, headers)
        if not hmac.compare_digest(expected, claim["signature"]):
            raise RefusedError("wrong signature")
        return session.role_arn


def _signature(secret_key: str, date: str, headers: dict[str, str]) -> str:
    canonical = "\n".join(
        [
            *("POST", "/", ""),
            *(f"{name}:{headers[name]}" for name in sorted(headers)),
            *("", ";".join(sorted(headers)), hashlib.sha256(_BODY.encode()).hexdigest()),
        ]
    )
    scope = f"{date[:8]}/{REGION}/sts/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = b"AWS4" + secret_key.encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    to_sign = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{digest}"
    return hmac.digest(key, to_sign.encode(), "sha256").hex()
