"""A stand-in for a MongoDB Atlas cluster: its names, TLS, IAM authentication, and a real mongod.

What a client meets is what Atlas shows it: `mongodb+srv://<host>/` resolved by SRV and TXT
records, a certificate for those names, a replica set, MONGODB-AWS and SCRAM users. A client
process gets there with `environment` added to its own; nothing in its code or URI differs.
"""

from __future__ import annotations

from datetime import datetime
from types import TracebackType
from typing import Literal, Self


class Atlas:
    """One cluster on loopback.

    >>> with Atlas() as atlas:
    ...     atlas.add_role("arn:aws:iam::123456789012:role/orders", "ASIA…", "…", "…", "app")
    ...     subprocess.run([...], env={**env, **atlas.environment})

    `tier` picks the error of a refused login: dedicated clusters (M10+) answer code 18
    `AuthenticationFailed`, shared ones (M0, Flex) code 8000 `AtlasError` "bad auth".
    """

    host: str  # what people enter as ClusterHost, e.g. "cluster0.ab1cd.mongodb.net"
    environment: dict[str, str]  # PYTHONPATH, SSL_CERT_FILE, and the resolver's address
    mongod: Mongod  # noqa: F821  # behind the stand-in: connections_created(), clients(), uri

    def __init__(
        self,
        host: str = "cluster0.ab1cd.mongodb.net",
        *,
        tier: Literal["dedicated", "shared"] = "dedicated",
    ) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def add_role(
        self,
        role_arn: str,
        access_key: str,
        secret_key: str,
        session_token: str,
        database: str,
        expires: datetime | None = None,
    ) -> None:
        """Let a role in, with readWrite on one database.

        The three strings are what the role's functions have in AWS_ACCESS_KEY_ID,
        AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN. A client is recognised by its access key
        alone, as by STS; give each role a key of its own (ValueError otherwise).
        Adding a role again replaces its credentials, as a new session would.
        """
        raise NotImplementedError

    def add_user(self, username: str, password: str, database: str) -> None:
        """Create a SCRAM user with readWrite on one database (authSource=admin)."""
        raise NotImplementedError

    def set_password(self, username: str, password: str) -> None:
        """Change a SCRAM user's password; open connections stay authenticated."""
        raise NotImplementedError
