"""POST /items stores an item."""

from aws_lambda_powertools.utilities.typing import LambdaContext
from pymongo.errors import DuplicateKeyError

from .. import items
from ..api import Event, Refused, Response, endpoint, json_body, reply
from ..client import mongodb


@endpoint
def handler(event: Event, context: LambdaContext) -> Response:
    """Answer 201 with the item, 400 if it isn't valid, 409 if its sku is taken."""
    item = items.parse(json_body(event))
    try:
        with mongodb.database(context) as db:
            db.items.insert_one(item)  # sets item["_id"]
    except DuplicateKeyError:
        raise Refused(409, f"There is an item with sku {item['sku']} already.") from None
    return reply(201, items.present(item))
