"""GET /items?limit=20&after=… returns a page of items, oldest first."""

import re
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import BaseModel, BeforeValidator, Field

from ..api import {% if cookiecutter.layout == "multi-lambda" %}make_handler, {% endif %}may_return
from ..client import mongodb
from ..items import Id, Item

DEFAULT_LIMIT = 20
MAX_LIMIT = 100

router = Router()


{% include 'src/functions/list_items.py/page.py' %}


@router.get("/items", summary="List items, oldest first", responses=may_return(200))
def list_items(
    limit: Annotated[PageSize, Query()] = DEFAULT_LIMIT,
    after: Annotated[Id | None, Query()] = None,
) -> Page:
    """Return 200 with a page, 422 if limit or after isn't valid."""
    later = {"_id": {"$gt": after}} if after else {}
    with mongodb.database(router.lambda_context) as db:
        # One more than asked for tells whether there is another page.
        found = list(db.items.find(later).sort("_id").limit(limit + 1))
    page = [Item.model_validate(document) for document in found[:limit]]
    return Page(items=page, next=page[-1].id if len(found) > limit else None)
{%- if cookiecutter.layout == "multi-lambda" %}


handler = make_handler(router)
{%- endif %}
