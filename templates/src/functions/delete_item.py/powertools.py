"""DELETE /items/{id} removes one item."""

from aws_lambda_powertools.event_handler.api_gateway import Response, Router
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from ..api import {% if cookiecutter.layout == "multi-lambda" %}make_handler, {% endif %}may_return
from ..client import mongodb
from ..items import Id

router = Router()


@router.delete(
    "/items/<id>", summary="Delete an item", status_code=204, responses=may_return(204, 404)
)
def delete_item(id: Id) -> Response[None]:
    """Return 204, or 404 if there is no such item."""
    with mongodb.database(router.lambda_context) as db:
        deleted = db.items.delete_one({"_id": id}).deleted_count
    if not deleted:
        raise NotFoundError("There is no such item.")
    return Response(status_code=204)
{%- if cookiecutter.layout == "multi-lambda" %}


handler = make_handler(router)
{%- endif %}
