"""DELETE /items/{id} removes one item."""

from aws_lambda_powertools.utilities.typing import LambdaContext

from ..api import Event, Refused, Response, endpoint, item_id, reply
from ..client import mongodb


@endpoint
def handler(event: Event, context: LambdaContext) -> Response:
    """Answer 204, or 404 if there is no such item."""
    key = item_id(event)
    with mongodb.database(context) as db:
        deleted = db.items.delete_one({"_id": key}).deleted_count
    if not deleted:
        raise Refused(404, "There is no such item.")
    return reply(204)
