"""GET /items/{id} returns one item."""

from aws_lambda_powertools.utilities.typing import LambdaContext

from .. import items
from ..api import Event, Refused, Response, endpoint, item_id, reply
from ..client import mongodb


@endpoint
def handler(event: Event, context: LambdaContext) -> Response:
    """Answer 200 with the item, 404 if there is none."""
    key = item_id(event)
    with mongodb.database(context) as db:
        item = db.items.find_one({"_id": key})
    if item is None:
        raise Refused(404, "There is no such item.")
    return reply(200, items.present(item))
