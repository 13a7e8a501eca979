"""The least code that signs in with the secret and answers the same."""

import json
import os

import boto3
from pymongo import MongoClient

secret = json.loads(
    boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["MONGODB_SECRET_ARN"])[
        "SecretString"
    ]
)
client = MongoClient(os.environ["MONGODB_URI"], maxPoolSize=1, **secret)
client.admin.command("ping")


def handler(event, context):
    db = client.app
    return {"statusCode": 200, "body": json.dumps({"ping": db.command("ping")["ok"]})}
