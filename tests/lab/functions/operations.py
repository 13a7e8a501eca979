"""One operation on the database, as the event says. Added to projects by the lab."""

import json
import os
import threading
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.utilities.typing import LambdaContext
from pymongo.database import Database

from .. import connection

# Before the connection is made: a minute of the service passes in a second here.
connection.MAX_IDLE = float(os.environ.get("LAB_MAX_IDLE", connection.MAX_IDLE))

from ..api import make_handler  # noqa: E402
from ..client import mongodb  # noqa: E402

router = Router()
# What makes a request of an event for the lab's own operations.
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


@router.post("/")
def operate() -> dict[str, Any]:
    """Return 200 with the result of `event["operation"]`, which counts under `event["number"]`."""
    event = router.current_event
    with mongodb.database(router.lambda_context) as db:
        return {"result": OPERATIONS[event["operation"]](db, event["number"])}


serve = make_handler(router)


def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Operate, as a function of the service's own."""
    return serve(REQUEST | event, context)


def race(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Return 200 with what came of a read in each of `event["threads"]` threads at once."""
    barrier = threading.Barrier(event["threads"])
    outcomes: list[str] = []

    def run() -> None:
        barrier.wait()
        try:
            with mongodb.database(context) as db:
                db.fixed.find_one()
            outcomes.append("read")
        except Exception as error:
            outcomes.append(f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=run) for _ in range(event["threads"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"statusCode": 200, "body": json.dumps({"outcomes": sorted(outcomes)})}
