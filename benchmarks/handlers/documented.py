"""What documented_multi.py and documented_web.py share: how they sign in."""

import json
import os

import boto3
from pymongo import MongoClient


def connect():
    credentials = {}
    if arn := os.environ.get("MONGODB_SECRET_ARN"):
        secret = boto3.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
        credentials = json.loads(secret)
    return MongoClient(os.environ["MONGODB_URI"], **credentials)
