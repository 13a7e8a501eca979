"""Items: what a valid one is, and how it looks in MongoDB and in JSON."""

import re
from datetime import UTC, datetime
from typing import Any

from .api import RequestError

MAX_NAME = 200
MAX_QUANTITY = 1_000_000
SKU = re.compile(r"[A-Z0-9][A-Z0-9-]{0,39}")
# Whatever people write, invisible joiners too, but for controls, line separators, halves of
# surrogate pairs and the two characters that show text in another order than it is stored.
TEXT = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\u202d\u202e\ud800-\udfff]+")


def parse(body: dict[str, Any]) -> dict[str, Any]:
    """Return the document to store.

    Only known fields of the right type pass, so that no query operator comes in with them.

    Raises:
        RequestError: 400, with the field and what it must be.
    """
    if unknown := sorted(body.keys() - {"sku", "name", "quantity"}):
        raise RequestError(
            400, f"Unknown field {unknown[0][:40]!r}: an item has sku, name, quantity."
        )
    sku, name, quantity = body.get("sku"), body.get("name"), body.get("quantity", 0)
    if not isinstance(sku, str) or not SKU.fullmatch(sku):
        raise RequestError(400, "sku must be 1 to 40 of A-Z, 0-9 and hyphen, such as MUG-0042.")
    if not isinstance(name, str) or len(name) > MAX_NAME or not TEXT.fullmatch(name):
        raise RequestError(400, f"name must be 1 to {MAX_NAME} characters on one line.")
    if type(quantity) is not int or not 0 <= quantity <= MAX_QUANTITY:
        raise RequestError(400, f"quantity must be a whole number from 0 to {MAX_QUANTITY}.")
    return {"sku": sku, "name": name, "quantity": quantity, "created_at": datetime.now(UTC)}


def present(item: dict[str, Any]) -> dict[str, Any]:
    """Return a stored item as JSON can hold it."""
    return {
        "id": str(item["_id"]),
        "sku": item["sku"],
        "name": item["name"],
        "quantity": item["quantity"],
        "created_at": item["created_at"].isoformat(timespec="milliseconds"),
    }
