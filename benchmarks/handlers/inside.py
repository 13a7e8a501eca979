"""The anti-pattern: a client for each invocation."""

import os

from pymongo import MongoClient


def handler(event, context):
    client = MongoClient(os.environ["MONGODB_URI"], maxPoolSize=1)
    return {"statusCode": 200, "ping": client.app.command("ping")["ok"]}
