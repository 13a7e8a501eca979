"""Who calls: claims of the bearer token, which API Gateway has verified."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Caller:
    """Whom a token was issued to, and for what."""

    subject: str
    scopes: frozenset[str]


def caller_of(event: Any) -> Caller | None:
    """Return the caller that an event of the HTTP API names (payload format 2.0).

    None if there was no token, as in a direct invocation. `make local` believes any.
    """
    match event:
        case {"requestContext": {"authorizer": {"jwt": {"claims": {"sub": str(sub), **claims}}}}}:
            # Claims are text, a list of them "[read write]". The event's own `scopes` is empty
            # unless the route asks for some.
            scopes = str(claims.get("scope") or claims.get("scp") or "")
            return Caller(sub, frozenset(scopes.strip("[]").split()))
    return None
