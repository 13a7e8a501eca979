"""One operation on the database, as an event says. Added to projects by the lab.

`through_powertools.py` and `through_fastapi.py` have the handlers.
"""

import os
import threading
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pymongo.database import Database

from .. import connection

# Before the connection is made: a minute of the service passes in a second here.
connection.MAX_IDLE = float(os.environ.get("LAB_MAX_IDLE", connection.MAX_IDLE))

from ..client import mongodb  # noqa: E402

# What makes a request of an event.
REQUEST = {
    "rawPath": "/",
    "headers": {},
    "requestContext": {"http": {"method": "POST", "path": "/"}, "stage": "$default"},
}


def find(db: Database[dict[str, Any]], _: int) -> object:
    """Read a document that is always there."""
    document = db.fixed.find_one({"_id": "answer"})
    return document and document["value"]


def insert(db: Database[dict[str, Any]], number: int) -> object:
    """Leave one document more."""
    db.inserted.insert_one({"number": number})
    return None


def update_many(db: Database[dict[str, Any]], number: int) -> object:
    """Raise every counter of a group by one."""
    return db.counters.update_many({"group": number}, {"$inc": {"count": 1}}).modified_count


def aggregate(db: Database[dict[str, Any]], _: int) -> object:
    """Add up what is always there."""
    [total] = db.fixed.aggregate([{"$group": {"_id": None, "value": {"$sum": "$value"}}}])
    return total["value"]


OPERATIONS: dict[str, Callable[[Database[dict[str, Any]], int], object]] = {
    "find": find,
    "insert": insert,
    "update_many": update_many,
    "aggregate": aggregate,
}


def operate(event: dict[str, Any], context: LambdaContext) -> object:
    """Return the result of `event["operation"]`, which counts under `event["number"]`."""
    if event["operation"] == "race":
        return race(event["threads"], context)
    with mongodb.database(context) as db:
        return OPERATIONS[event["operation"]](db, event["number"])


def race(number: int, context: LambdaContext) -> list[str]:
    """Return what comes of a read in each of so many threads at once."""
    barrier = threading.Barrier(number)
    outcomes: list[str] = []

    def run() -> None:
        barrier.wait()
        try:
            with mongodb.database(context) as db:
                db.fixed.find_one()
            outcomes.append("read")
        except Exception as error:
            outcomes.append(f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(outcomes)
