"""The lab's operations, spread in time otherwise than the service's. Added to projects by the lab.

LAB_SPREAD is how many seconds, at most, a connection of the pool waits before it opens, and
LAB_RETRY_AFTER what every 503 response has callers wait.
"""

import os
import random
import time
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pymongo.monitoring import ConnectionCreatedEvent

from .. import connection

SPREAD = float(os.environ.get("LAB_SPREAD", "0"))

if seconds := os.environ.get("LAB_RETRY_AFTER"):
    connection.RETRY_AFTER = (int(seconds), int(seconds))

ping = connection._ping
pinging = False


def ping_later(client: Any) -> None:
    """The time to connect begins when the wait is over."""
    global pinging
    wait()
    pinging = True
    try:
        ping(client)
    finally:
        pinging = False


class LatePool(connection._Pool):
    """The driver publishes its events in the thread that goes on to connect."""

    def connection_created(self, event: ConnectionCreatedEvent) -> None:
        super().connection_created(event)
        if not pinging:
            wait()


def wait() -> None:
    time.sleep(random.uniform(0, SPREAD))  # noqa: S311


if SPREAD:
    connection._ping = ping_later
    connection._Pool = LatePool  # type: ignore[misc]

from . import through_powertools  # noqa: E402


def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Operate, as a function of the service's own."""
    return through_powertools.handler(event, context)
