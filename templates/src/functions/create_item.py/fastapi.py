"""POST /items stores an item."""

from fastapi import APIRouter, HTTPException
from pymongo.errors import DuplicateKeyError

from ..api import Context, JsonRoute, may_return
from ..client import mongodb
from ..items import Item, NewItem

router = APIRouter(route_class=JsonRoute)


@router.post("/items", status_code=201, responses=may_return(400, 409, 413, 415))
def create_item(item: NewItem, context: Context) -> Item:
    """Return 201 with the item, 422 if it isn't valid, 409 if its sku is taken."""
    document = item.document()
    try:
        with mongodb.database(context) as db:
            db.items.insert_one(document)  # sets document["_id"]
    except DuplicateKeyError:
        raise HTTPException(409, f"There is an item with sku {item.sku} already.") from None
    return Item.model_validate(document)
