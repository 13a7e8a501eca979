"""The client in a lifespan, as FastAPI's tutorials have it, behind Mangum as it comes.

Added by the lab.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from mangum import Mangum
from pymongo import MongoClient


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
    with MongoClient[dict[str, Any]](os.environ["MONGODB_URI"]) as client:
        yield {"database": client[os.environ["MONGODB_DATABASE"]]}


app = FastAPI(lifespan=lifespan)


@app.get("/items")
def list_items(request: Request) -> dict[str, list[str]]:
    found = request.state.database.items.find().limit(20)
    return {"items": [str(document["_id"]) for document in found]}


handler = Mangum(app)
