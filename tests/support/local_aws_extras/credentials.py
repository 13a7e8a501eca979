"""The credentials of execution roles, derived so that both sides know them without a word."""

import hashlib
from typing import NamedTuple


class Credentials(NamedTuple):
    """A session of a role, as its functions have it in AWS_ACCESS_KEY_ID and so on."""

    access_key: str
    secret_key: str
    session_token: str


def credentials_of(role_arn: str) -> Credentials:
    """The session of a role in the form STS gives it: the same for all of the role's functions."""
    digest = hashlib.sha512(role_arn.encode()).hexdigest()
    return Credentials(f"ASIA{digest[:16].upper()}", digest[16:56], digest[56:])
