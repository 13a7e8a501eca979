"""What differs between the copies of a snapshot, or should. Added to projects by the lab."""

import random
import uuid
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from ..client import mongodb


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Insert documents, whose ids are the driver's, and return them and other random values."""
    documents: list[dict[str, Any]] = [{} for _ in range(event["documents"])]
    with mongodb.database(context) as db, db.client.start_session() as session:
        db.copies.insert_many(documents)
        return {
            "ids": [str(it["_id"]) for it in documents],
            "session": session.session_id["id"].hex(),
            "random": random.random(),  # noqa: S311
            "uuid": str(uuid.uuid4()),
        }
