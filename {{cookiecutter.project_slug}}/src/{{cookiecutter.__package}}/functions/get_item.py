"""GET /items/{id} returns one item."""

from aws_lambda_powertools.utilities.typing import LambdaContext

from .. import items
from ..api import Event, RequestError, Response, endpoint, item_id, response
from ..client import mongodb


@endpoint
def handler(event: Event, context: LambdaContext) -> Response:
    """Return 200 with the item, 404 if there is none."""
    key = item_id(event)
    with mongodb.database(context) as db:
        item = db.items.find_one({"_id": key})
    if item is None:
        raise RequestError(404, "There is no such item.")
    return response(200, items.present(item))
