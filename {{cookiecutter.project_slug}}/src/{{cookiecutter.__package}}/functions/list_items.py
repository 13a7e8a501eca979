"""GET /items?limit=20&after=… returns a page of items, oldest first."""

import re

from aws_lambda_powertools.utilities.typing import LambdaContext

from .. import items
from ..api import Event, RequestError, Response, endpoint, object_id, parameters, response
from ..client import mongodb

DEFAULT_LIMIT = 20
MAX_LIMIT = 100


@endpoint
def handler(event: Event, context: LambdaContext) -> Response:
    """Return 200 with `items` and `next`: the token for `after`, or null on the last page."""
    query = parameters(event, "queryStringParameters")
    limit = page_size(query.get("limit", str(DEFAULT_LIMIT)))
    after = {"_id": {"$gt": object_id(query["after"], "after")}} if "after" in query else {}
    with mongodb.database(context) as db:
        # One more than asked for tells whether there is another page.
        found = list(db.items.find(after).sort("_id").limit(limit + 1))
    page = [items.present(item) for item in found[:limit]]
    return response(200, {"items": page, "next": page[-1]["id"] if len(found) > limit else None})


def page_size(text: str) -> int:
    """Parse the limit.

    Raises:
        RequestError: 400.
    """
    if not re.fullmatch("[0-9]{1,3}", text) or not 1 <= int(text) <= MAX_LIMIT:
        raise RequestError(400, f"limit must be a whole number from 1 to {MAX_LIMIT}.")
    return int(text)
