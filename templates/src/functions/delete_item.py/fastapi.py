"""DELETE /items/{id} removes one item."""

from fastapi import APIRouter, HTTPException

from ..api import Context, JsonRoute, may_return
from ..client import mongodb
from ..items import Id

router = APIRouter(route_class=JsonRoute)


@router.delete("/items/{id}", status_code=204, responses=may_return(404))
def delete_item(id: Id, context: Context) -> None:
    """Return 204, or 404 if there is no such item."""
    with mongodb.database(context) as db:
        deleted = db.items.delete_one({"_id": id}).deleted_count
    if not deleted:
        raise HTTPException(404, "There is no such item.")
