"""The anti-pattern: a client for each invocation."""

import os

from pymongo import MongoClient


def handler(event, context):
    name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
    client = MongoClient(os.environ["MONGODB_URI"], appname=name, maxPoolSize=1)
    return {"statusCode": 200, "ping": client.app.command("ping")["ok"]}
