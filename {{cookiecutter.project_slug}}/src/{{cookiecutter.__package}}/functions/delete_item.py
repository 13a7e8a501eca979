"""DELETE /items/{id} removes one item."""

from aws_lambda_powertools.utilities.typing import LambdaContext

from ..api import Event, RequestError, Response, endpoint, item_id, response
from ..client import mongodb


@endpoint
def handler(event: Event, context: LambdaContext) -> Response:
    """Return 204, or 404 if there is no such item."""
    key = item_id(event)
    with mongodb.database(context) as db:
        deleted = db.items.delete_one({"_id": key}).deleted_count
    if not deleted:
        raise RequestError(404, "There is no such item.")
    return response(204)
