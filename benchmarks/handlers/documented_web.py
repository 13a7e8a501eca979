"""FastAPI through Mangum as their documentation has it, with a client in the lifespan."""

import os
from contextlib import asynccontextmanager

from documented import connect
from fastapi import FastAPI, Request
from mangum import Mangum
from pydantic import BaseModel


@asynccontextmanager
async def lifespan(_: FastAPI):
    with connect() as client:
        yield {"database": client[os.environ["MONGODB_DATABASE"]]}


app = FastAPI(lifespan=lifespan)


class Page(BaseModel):
    items: list[str]


@app.get("/items")
def list_items(request: Request, limit: int = 20) -> Page:
    found = request.state.database.items.find().limit(limit)
    return Page(items=[str(it["_id"]) for it in found])


handler = Mangum(app)
