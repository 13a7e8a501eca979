"""GET /items/{id} returns one item."""

from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from ..api import {% if cookiecutter.layout == "multi-lambda" %}make_handler, {% endif %}may_return
from ..client import mongodb
from ..items import Id, Item

router = Router()


@router.get("/items/<id>", summary="Get an item", responses=may_return(200, 404))
def get_item(id: Id) -> Item:
    """Return 200 with the item, 404 if there is none."""
    with mongodb.database(router.lambda_context) as db:
        document = db.items.find_one({"_id": id})
    if document is None:
        raise NotFoundError("There is no such item.")
    return Item.model_validate(document)
{%- if cookiecutter.layout == "multi-lambda" %}


handler = make_handler(router)
{%- endif %}
