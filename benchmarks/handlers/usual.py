"""The usual shape of Lambda templates: boto3, pydantic, Powertools; a lazy client."""

import json
import os

import boto3
from aws_lambda_powertools import Logger, Metrics
from pydantic import BaseModel
from pymongo import MongoClient

logger = Logger()
metrics = Metrics(namespace="usual")
credentials = {}
if "MONGODB_SECRET_ARN" in os.environ:
    credentials = json.loads(
        boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["MONGODB_SECRET_ARN"])[
            "SecretString"
        ]
    )
client = MongoClient(os.environ["MONGODB_URI"], **credentials)


class Answer(BaseModel):
    ping: float


@logger.inject_lambda_context
def handler(event, context):
    answer = Answer(ping=client.app.command("ping")["ok"])
    return {"statusCode": 200, "body": answer.model_dump_json()}
