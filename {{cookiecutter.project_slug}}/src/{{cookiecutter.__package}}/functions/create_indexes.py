"""Creates the indexes. Invoked by hand after a deploy that changes them, not on every start."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from ..api import logger
from ..client import mongodb


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Return the names of the indexes. Those that exist already stay as they are."""
    with mongodb.database(context) as db:
        names = [
            db.items.create_index("sku", unique=True),
        ]
        return {"indexes": names}
