"""One process, three ways: an item through the API, the bare driver, a route that does nothing."""

import importlib
import os
import time

from bson import ObjectId
from pymongo import MongoClient

package = os.environ["PACKAGE"]
api = importlib.import_module(f"{package}.api")
app = importlib.import_module(f"{package}.app")
ITEM = ObjectId(os.environ["ITEM"])

if hasattr(api, "make_app"):  # FastAPI
    from fastapi import APIRouter

    router = APIRouter()
    serve_nothing = lambda: api.make_handler(api.make_app("nothing", router))  # noqa: E731
else:
    from aws_lambda_powertools.event_handler.api_gateway import Router

    router = Router()
    serve_nothing = lambda: api.make_handler(router)  # noqa: E731


@router.get("/nothing")
def nothing() -> dict[str, str]:
    return {}


empty = serve_nothing()
bare = MongoClient(os.environ["MONGODB_URI"], maxPoolSize=1)[os.environ["MONGODB_DATABASE"]]
bare.command("ping")


def event(path):
    http = {"method": "GET", "path": path, "sourceIp": "192.0.2.1"}
    return {
        "version": "2.0",
        "routeKey": "GET /items/{id}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {},
        "pathParameters": {"id": str(ITEM)},
        "requestContext": {"http": http, "stage": "$default"},
        "isBase64Encoded": False,
    }


VARIANTS = {
    "ours": lambda context: app.handler(event(f"/items/{ITEM}"), context),
    "empty route": lambda context: empty(event("/nothing"), context),
    "bare driver": lambda _: {"statusCode": 200, "body": bare.items.find_one({"_id": ITEM})},
}


def handler(event, context):
    """Run the named variant; answer with what it took in milliseconds."""
    variant = VARIANTS[event["variant"]]
    start = time.perf_counter()
    response = variant(context)
    took = (time.perf_counter() - start) * 1000
    assert response["statusCode"] == 200, response
    return took
