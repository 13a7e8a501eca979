"""GET /items/{id} returns one item."""

from fastapi import APIRouter, HTTPException

from ..api import Context, JsonRoute, may_return
from ..client import mongodb
from ..items import Id, Item

router = APIRouter(route_class=JsonRoute)


@router.get("/items/{id}", responses=may_return(404))
def get_item(id: Id, context: Context) -> Item:
    """Return 200 with the item, 404 if there is none."""
    with mongodb.database(context) as db:
        document = db.items.find_one({"_id": id})
    if document is None:
        raise HTTPException(404, "There is no such item.")
    return Item.model_validate(document)
