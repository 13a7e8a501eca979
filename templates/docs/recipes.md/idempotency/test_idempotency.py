"""POST /items with an Idempotency-Key."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aws_lambda_powertools.utilities.idempotency.exceptions import IdempotencyItemAlreadyExistsError
from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import DataRecord
from aws_lambda_powertools.utilities.typing import LambdaContext
from pymongo.database import Database

from {{ cookiecutter.__package }}.connection import Connection, Document, Unavailable

Create = Callable[..., dict[str, Any]]


@pytest.fixture
def db(context: Callable[..., LambdaContext]) -> Iterator[Database[Document]]:
    with Connection.from_environment().database(context()) as db:
        yield db


@pytest.fixture
def records(context: Callable[..., LambdaContext]) -> Any:
    from {{ cookiecutter.__package }}.idempotency import MongoDBPersistenceLayer

    return MongoDBPersistenceLayer(context())


@pytest.fixture
def sku() -> str:
    return uuid.uuid4().hex.upper()


@pytest.fixture
def create(invoke: Callable[..., dict[str, Any]], sku: str) -> Create:
    """Create an item, always with the same key."""

    def call(key: str = sku, **fields: Any) -> dict[str, Any]:
        headers = {"content-type": "application/json", "idempotency-key": key}
        return invoke(
            "POST /items", headers=headers, body=json.dumps({"sku": sku, "name": "Mug"} | fields)
        )

    return call


def test_a_repeated_request_gets_the_same_response(
    create: Create, sku: str, db: Database[Document]
) -> None:
    first = create()

    assert first["statusCode"] == 201
    assert create() == first
    assert db.items.count_documents({"sku": sku}) == 1


def test_another_request_does_not_get_the_key(
    create: Create, sku: str, db: Database[Document]
) -> None:
    assert create()["statusCode"] == 201

    assert create(name="Cup")["statusCode"] == 422
    assert create(sku=f"{sku}-2")["statusCode"] == 422
    assert db.items.count_documents({"sku": {"$in": [sku, f"{sku}-2"]}}) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "schlüssel", "a\nb"])
def test_a_key_is_printable(create: Create, key: str) -> None:
    response = create(key)

    assert response["statusCode"] == 422
    assert json.loads(response["body"])["detail"][0]["loc"] == ["header", "idempotency-key"]


{% if cookiecutter.api_auth == "jwt" -%}
def test_callers_have_keys_of_their_own(invoke: Callable[..., Any], sku: str) -> None:
    headers = {"content-type": "application/json", "idempotency-key": sku}
    http = {"method": "POST", "path": "/items"}
    for subject in ("one", "another"):
        context = {
            "http": http,
            "stage": "$default",
            "authorizer": {"jwt": {"claims": {"sub": subject}}},
        }
        body = json.dumps({"sku": f"{sku}-{subject.upper()}", "name": "Mug"})
        response = invoke("POST /items", requestContext=context, headers=headers, body=body)
        assert response["statusCode"] == 201


{% endif -%}
def test_an_error_is_not_kept(
    create: Create, sku: str, invoke: Callable[..., Any], db: Database[Document]
) -> None:
    invoke("create-indexes")
    assert create("another")["statusCode"] == 201
    assert create()["statusCode"] == 409

    db.items.delete_one({"sku": sku})

    assert create()["statusCode"] == 201


def test_an_environment_that_ends_before_it_answers_leaves_one_item(
    create: Create,
    sku: str,
    records: Any,
    db: Database[Document],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def end(_: object, data_record: DataRecord) -> None:
        raise Unavailable

    with monkeypatch.context() as patch:
        patch.setattr(type(records), "_update_record", end)
        assert create()["statusCode"] == 503
    [item] = db.items.find({"sku": sku})

    response = create()
    assert response["statusCode"] == 409
    assert "retry-after" in map(str.lower, response["headers"])

    db.idempotency.update_many({}, {"$set": {"deadline": 0}})  # as if it had passed
    assert create(name="Cup")["statusCode"] == 422
    response = create()
    assert response["statusCode"] == 201
    assert json.loads(response["body"])["id"] == str(item["_id"])
    assert db.items.count_documents({"sku": sku}) == 1


@pytest.mark.parametrize(
    ("status", "kept", "left", "payload", "free"),
    [
        ("COMPLETED", 60, None, "same", False),
        ("COMPLETED", -60, None, "same", True),
        ("COMPLETED", -60, None, "other", True),
        ("INPROGRESS", 60, 5, "same", False),
        ("INPROGRESS", 60, -5, "same", True),
        ("INPROGRESS", 60, -5, "other", False),
        ("INPROGRESS", 60, None, "same", False),
    ],
)
def test_a_key_is_free_once_its_record_counts_no_more(
    records: Any, status: str, kept: int, left: int | None, payload: str, free: bool
) -> None:
    """Though MongoDB hasn't removed it yet. Times are in seconds from now."""
    now, key = time.time(), uuid.uuid4().hex
    deadline = None if left is None else int((now + left) * 1000)
    records._put_record(DataRecord(key, status, int(now) + kept, deadline, payload_hash=payload))
    new = DataRecord(key, "INPROGRESS", int(now) + 60, int(now * 1000), payload_hash="same")

    if free:
        records._put_record(new)
        assert vars(records._get_record(key)) == vars(new)
    else:
        with pytest.raises(IdempotencyItemAlreadyExistsError):
            records._put_record(new)
        assert records._get_record(key).payload_hash == payload


def test_an_index_removes_what_has_expired(
    invoke: Callable[..., Any], db: Database[Document]
) -> None:
    assert "expires_1" in invoke("create-indexes")["indexes"]
    assert db.idempotency.index_information()["expires_1"]["expireAfterSeconds"] == 0
