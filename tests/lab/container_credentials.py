"""What gives a function with SnapStart its role's credentials, in place of variables."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from email.message import Message

from tests.lab.json_service import JsonService
from tests.support.servers import LOOPBACK

Variables = dict[str, str]


class ContainerCredentials(JsonService):
    """The credentials of one role on loopback, for who has the token.

    >>> with ContainerCredentials(variables) as credentials:
    ...     Snapshot(code, handler, credentials.environment)

    `variables` are the AWS_… that other functions have. `reads` counts the requests, which get
    none as long as `refuse` is set.
    """

    def __init__(self, variables: Variables) -> None:
        self.reads = 0
        self.refuse = False
        self._token = secrets.token_hex(16)
        self.change(variables)

    def change(self, variables: Variables, seconds: float = 6 * 3600) -> None:
        """Give others from now on, which say that they expire in so many seconds."""
        expiration = datetime.now(UTC) + timedelta(seconds=seconds)
        self._answer = {
            "AccessKeyId": variables["AWS_ACCESS_KEY_ID"],
            "SecretAccessKey": variables["AWS_SECRET_ACCESS_KEY"],
            "Token": variables["AWS_SESSION_TOKEN"],
            "Expiration": expiration.isoformat(timespec="seconds").replace("+00:00", "Z"),
        }

    @property
    def environment(self) -> Variables:
        """What leads the SDK here."""
        uri = f"http://{LOOPBACK}:{self.port}/credentials"
        return {
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": self._token,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": uri,
        }

    def respond(self, headers: Message, _: bytes, /) -> tuple[int, dict[str, str]]:
        """Status and body of one request."""
        self.reads += 1
        if headers["Authorization"] != self._token:
            return 401, {}
        return (500, {}) if self.refuse else (200, self._answer)
