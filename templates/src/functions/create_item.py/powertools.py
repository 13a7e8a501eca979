"""POST /items stores an item."""

from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.exceptions import ServiceError
from pymongo.errors import DuplicateKeyError

from ..api import {% if cookiecutter.layout == "multi-lambda" %}make_handler, {% endif %}may_return
from ..client import mongodb
from ..items import Item, NewItem

router = Router()


@router.post(
    "/items",
    summary="Create an item",
    status_code=201,
    responses=may_return(201, 400, 409, 413, 415),
)
def create_item(item: NewItem) -> Item:
    """Return 201 with the item, 422 if it isn't valid, 409 if its sku is taken."""
    document = item.document()
    try:
        with mongodb.database(router.lambda_context) as db:
            db.items.insert_one(document)  # sets document["_id"]
    except DuplicateKeyError:
        raise ServiceError(409, f"There is an item with sku {item.sku} already.") from None
    return Item.model_validate(document)
{%- if cookiecutter.layout == "multi-lambda" %}


handler = make_handler(router)
{%- endif %}
