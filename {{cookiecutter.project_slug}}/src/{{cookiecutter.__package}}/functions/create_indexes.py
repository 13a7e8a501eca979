"""Creates the indexes. Invoked by hand after a deploy that changes them, not on every start."""

from aws_lambda_powertools.utilities.typing import LambdaContext

from ..api import Event, Response, endpoint, response
from ..client import mongodb


@endpoint
def handler(event: Event, context: LambdaContext) -> Response:
    """Return 200 with the names of the indexes. Those that exist already stay as they are."""
    with mongodb.database(context) as db:
        names = [db.items.create_index("sku", unique=True)]
    return response(200, {"indexes": names})
