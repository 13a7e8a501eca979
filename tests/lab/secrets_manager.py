"""Secrets Manager's GetSecretValue: counted, and refused as told."""

from __future__ import annotations

import json
import uuid
from base64 import b64encode
from email.message import Message

from tests.lab.json_service import JsonService
from tests.support.servers import LOOPBACK


class SecretsManager(JsonService):
    """The secrets of one account on loopback.

    >>> with SecretsManager() as secrets:
    ...     arn = secrets.put({"username": "alice", "password": "…"})
    ...     ExecutionEnvironment(code, handler, {**secrets.environment, "MONGODB_SECRET_ARN": arn})

    `reads` counts the requests for each ARN. `refusal` is an error code that all are answered
    with, such as AccessDeniedException. `binary` are the ARNs of secrets that aren't text.
    """

    content_type = "application/x-amz-json-1.1"

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.versions: dict[str, str] = {}
        self.reads: dict[str, int] = {}
        self.refusal: str | None = None
        self.binary: set[str] = set()

    @property
    def environment(self) -> dict[str, str]:
        """What leads the SDK here."""
        return {"AWS_ENDPOINT_URL_SECRETS_MANAGER": f"http://{LOOPBACK}:{self.port}"}

    def put(self, value: object, arn: str | None = None) -> str:
        """Store a value, as JSON unless it is a string, and return its new or given ARN."""
        arn = arn or f"arn:aws:secretsmanager:us-east-1:123456789012:secret:{uuid.uuid4().hex}"
        self.values[arn] = value if isinstance(value, str) else json.dumps(value)
        self.versions[arn] = str(uuid.uuid4())
        self.reads.setdefault(arn, 0)
        return arn

    def respond(self, headers: Message, body: bytes, /) -> tuple[int, dict[str, str]]:
        """Status and body of one request."""
        assert headers["X-Amz-Target"] == "secretsmanager.GetSecretValue"
        arn: str = json.loads(body)["SecretId"]
        self.reads[arn] = self.reads.get(arn, 0) + 1
        if self.refusal:
            return 400, {"__type": self.refusal, "Message": f"on resource: {arn}"}
        if arn not in self.values:
            message = "Secrets Manager can't find the specified secret."
            return 400, {"__type": "ResourceNotFoundException", "Message": message}
        found = {"ARN": arn, "VersionId": self.versions[arn]}
        if arn in self.binary:
            return 200, found | {"SecretBinary": b64encode(self.values[arn].encode()).decode()}
        return 200, found | {"SecretString": self.values[arn]}
