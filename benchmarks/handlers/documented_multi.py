"""Powertools' event handler as its documentation has it, with a client that a request makes."""

import os

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from documented import connect
from pydantic import BaseModel

app = APIGatewayHttpResolver(enable_validation=True)
logger = Logger()
clients = []


class Page(BaseModel):
    items: list[str]


@app.get("/items")
def list_items(limit: int = 20) -> Page:
    if not clients:
        clients.append(connect())
    found = clients[0][os.environ["MONGODB_DATABASE"]].items.find().limit(limit)
    return Page(items=[str(it["_id"]) for it in found])


@logger.inject_lambda_context
def handler(event, context):
    return app.resolve(event, context)
