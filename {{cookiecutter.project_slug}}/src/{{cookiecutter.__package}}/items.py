"""Items: what a valid one is, and how it looks in MongoDB and in JSON."""

from datetime import UTC, datetime
from typing import Annotated, Any

from bson import ObjectId
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator

Sku = Annotated[str, Field(pattern="^[A-Z0-9][A-Z0-9-]{0,39}$", examples=["MUG-0042"])]
# Whatever people write, invisible joiners too, but for controls, line separators and the two
# characters that show text in another order than it is stored.
Text = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029\u202d\u202e]+$")]

HEX = Annotated[str, Field(pattern="^[0-9a-fA-F]{24}$", examples=["6553f1000000000000000000"])]


def to_object_id(value: Any) -> ObjectId:
    """Return the id that the text or MongoDB's document has."""
    if not ObjectId.is_valid(value):
        raise ValueError("not 24 hexadecimal digits")
    return ObjectId(value)


# An ObjectId, which is text in JSON.
Id = Annotated[
    ObjectId,
    PlainValidator(to_object_id, json_schema_input_type=HEX),
    PlainSerializer(str, return_type=HEX),
]


class NewItem(BaseModel):
    """What it takes to create an item.

    Only known fields of the right type pass, so that no query operator comes in with them.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    sku: Sku
    name: Annotated[Text, Field(max_length=200)]
    quantity: Annotated[int, Field(ge=0, le=1_000_000)] = 0

    def document(self) -> dict[str, Any]:
        """Return what to store. MongoDB keeps milliseconds."""
        now = datetime.now(UTC)
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        return self.model_dump() | {"created_at": now}


class Item(BaseModel):
    """An item as it is stored."""

    id: Annotated[Id, Field(validation_alias="_id")]
    sku: str
    name: str
    quantity: int
    created_at: datetime
