"""POST /items stores an item."""

from aws_lambda_powertools.utilities.typing import LambdaContext
from pymongo.errors import DuplicateKeyError

from .. import items
from ..api import Event, RequestError, Response, endpoint, json_body, response
from ..client import mongodb


@endpoint
def handler(event: Event, context: LambdaContext) -> Response:
    """Return 201 with the item, 400 if it isn't valid, 409 if its sku is taken."""
    item = items.parse(json_body(event))
    try:
        with mongodb.database(context) as db:
            db.items.insert_one(item)  # sets item["_id"]
    except DuplicateKeyError:
        raise RequestError(409, f"There is an item with sku {item['sku']} already.") from None
    return response(201, items.present(item))
