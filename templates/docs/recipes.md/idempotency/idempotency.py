"""Acts once on what comes more than once: Powertools' idempotency, whose records are in MongoDB.

https://docs.aws.amazon.com/powertools/python/latest/utilities/idempotency/
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar, get_type_hints

from aws_lambda_powertools.utilities.idempotency import (
    BasePersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyItemAlreadyExistsError,
    IdempotencyItemNotFoundError,
    IdempotencyPersistenceLayerError,
)
from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import (
    STATUS_CONSTANTS,
    DataRecord,
)
from aws_lambda_powertools.utilities.idempotency.serialization.pydantic import PydanticSerializer
from aws_lambda_powertools.utilities.typing import LambdaContext
from bson import ObjectId
from pydantic import BaseModel, Field
from pymongo import ReturnDocument
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from .client import mongodb
from .connection import Document, Unavailable

# What a caller may send as Idempotency-Key: printable ASCII, compared as it stands.
EXAMPLE = "8e03978e-40d5-43e8-bc93-6894a57f9324"
Key = Annotated[str, Field(pattern=r"^[\x20-\x7e]{1,255}$", examples=[EXAMPLE])]

KEPT = 24 * 60 * 60  # how long a key is known, in seconds

Request = TypeVar("Request", bound=BaseModel)
Answer = TypeVar("Answer", bound=BaseModel)


def once(
    act: Callable[[Request, ObjectId, Database[Document]], Answer],
    request: Request,
    key: list[str],
    context: LambdaContext,
) -> Answer:
    """Act on a request, or return the answer that it got when it came with this key before.

    `act` gets the id by which to store its effect, always the same for a key. An environment may
    end after that and before the answer is kept: then `act` runs again, and has to find the effect.

    Raises:
        IdempotencyAlreadyInProgressError: the request is being handled elsewhere.
        IdempotencyValidationError: another request has had the key.
        Unavailable: the database is. The request may have been handled all the same.
    """
    data = {"key": key, "request": request.model_dump(mode="json")}
    config = IdempotencyConfig(
        event_key_jmespath="key",
        payload_validation_jmespath="request",
        expires_after_seconds=KEPT,
        hash_function="sha256",
        lambda_context=context,
    )
    records = MongoDBPersistenceLayer(context)

    def run(*, data: dict[str, Any]) -> Answer:
        with mongodb.database(context) as db:
            return act(request, records.effect, db)

    run_once = idempotent_function(
        run,
        data_keyword_argument="data",
        persistence_store=records,
        config=config,
        output_serializer=PydanticSerializer(get_type_hints(act)["return"]),
        key_prefix=key[0],
    )
    try:
        answer: Answer = run_once(data=data)
    except IdempotencyPersistenceLayerError as error:
        if isinstance(error.__cause__, Unavailable):
            raise error.__cause__ from None
        raise
    return answer


class MongoDBPersistenceLayer(BasePersistenceLayer):
    """Records in the collection `idempotency`, one for each key, for one invocation.

    A record in progress holds its key until the invocation's deadline. By then the invocation is
    over, since each of its operations ends before.
    """

    def __init__(self, context: LambdaContext) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._context = context
        self.effect = ObjectId()  # of the record that is in progress

    def _get_record(self, idempotency_key: str) -> DataRecord:
        with mongodb.database(self._context) as db:
            found = db.idempotency.find_one({"_id": idempotency_key})
        if found is None:
            raise IdempotencyItemNotFoundError
        return DataRecord(
            idempotency_key,
            found["status"],
            int(found["expires"].timestamp()),
            found["deadline"],
            found["response"],
            found["payload"],
        )

    def _put_record(self, data_record: DataRecord) -> None:
        """Take the key if it is free, on the conditions of Powertools' layer for DynamoDB.

        One is stricter: only the same request takes over from an invocation that ended without an
        answer, and it gets the id of that one's effect.
        """
        now = datetime.now(UTC)
        ended = {
            "status": STATUS_CONSTANTS["INPROGRESS"],
            "deadline": {"$lt": int(now.timestamp() * 1000)},
            "payload": data_record.payload_hash,
        }
        # The TTL index removes what has expired, but some time later.
        free = {"_id": data_record.idempotency_key, "$or": [{"expires": {"$lt": now}}, ended]}
        # What is missing is less than anything, too.
        effect = {"$cond": [{"$lt": ["$expires", now]}, ObjectId(), "$effect"]}
        update = [{"$set": fields_of(data_record) | {"effect": effect}}]
        try:
            with mongodb.database(self._context) as db:
                record: Any = db.idempotency.find_one_and_update(
                    free, update, upsert=True, return_document=ReturnDocument.AFTER
                )
        except DuplicateKeyError:  # there is a record, and it isn't free
            raise IdempotencyItemAlreadyExistsError from None
        self.effect = record["effect"]

    def _update_record(self, data_record: DataRecord) -> None:
        with mongodb.database(self._context) as db:
            key = {"_id": data_record.idempotency_key}
            db.idempotency.update_one(key, {"$set": fields_of(data_record)}, upsert=True)

    def _delete_record(self, data_record: DataRecord) -> None:
        """Free the key for the same request: an error doesn't tell that nothing is stored."""
        with mongodb.database(self._context) as db:
            key = {"_id": data_record.idempotency_key}
            db.idempotency.update_one(key, {"$set": {"deadline": 0}})


def fields_of(record: DataRecord) -> Document:
    """Return what is stored of a record, beside its key and the id of its effect."""
    return {
        "status": record.status,
        "expires": datetime.fromtimestamp(record.expiry_timestamp or 0, UTC),
        "deadline": record.in_progress_expiry_timestamp,  # milliseconds since 1970
        "payload": record.payload_hash,
        "response": record.response_data,
    }
