{% if cookiecutter.layout == "multi-lambda" -%}
"""A module for each function. The infrastructure deploys its handler, and gives it its routes."""

# The same routes again, for the tests and for `make local`.
ROUTES = {
    "POST /items": "create_item",
    "GET /items": "list_items",
    "GET /items/{id}": "get_item",
    "DELETE /items/{id}": "delete_item",
}
{% endif -%}
