"""The services as the documentation of their libraries has them: LAYOUT says which.

Powertools' event handler with a client that the first request makes, and FastAPI through Mangum
with a client in its lifespan.
"""

import json
import os
from contextlib import asynccontextmanager

import boto3
from pymongo import MongoClient


def connect():
    credentials = {}
    if arn := os.environ.get("MONGODB_SECRET_ARN"):
        secret = boto3.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
        credentials = json.loads(secret)
    return MongoClient(os.environ["MONGODB_URI"], **credentials)


def make_multi():
    from aws_lambda_powertools import Logger
    from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
    from pydantic import BaseModel

    class Page(BaseModel):
        items: list[str]

    app, logger, clients = APIGatewayHttpResolver(enable_validation=True), Logger(), []

    @app.get("/items")
    def list_items(limit: int = 20) -> Page:
        if not clients:
            clients.append(connect())
        found = clients[0][os.environ["MONGODB_DATABASE"]].items.find().limit(limit)
        return Page(items=[str(it["_id"]) for it in found])

    return logger.inject_lambda_context(app.resolve)


def make_web():
    from fastapi import FastAPI, Request
    from mangum import Mangum
    from pydantic import BaseModel

    class Page(BaseModel):
        items: list[str]

    @asynccontextmanager
    async def lifespan(_: FastAPI):
        with connect() as client:
            yield {"database": client[os.environ["MONGODB_DATABASE"]]}

    app = FastAPI(lifespan=lifespan)

    @app.get("/items")
    def list_items(request: Request, limit: int = 20) -> Page:
        found = request.state.database.items.find().limit(limit)
        return Page(items=[str(it["_id"]) for it in found])

    return Mangum(app)


handler = {"multi": make_multi, "web": make_web}[os.environ["LAYOUT"]]()
