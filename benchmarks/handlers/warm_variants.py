"""One process, three ways to the same document: ours, the bare driver, a client in the handler."""

import importlib
import os
import time

from pymongo import MongoClient

connection = importlib.import_module(os.environ["PACKAGE"] + ".connection")
mongodb = connection.Connection.from_environment()
bare = MongoClient(os.environ["MONGODB_URI"], maxPoolSize=1)
bare.admin.command("ping")


def ours(context):
    with mongodb.database(context) as db:
        return db.items.find_one({"_id": 1})


def bare_driver(context):
    return bare.app.items.find_one({"_id": 1})


def inside_the_handler(context):
    client = MongoClient(os.environ["MONGODB_URI"], maxPoolSize=1)
    found = client.app.items.find_one({"_id": 1})
    client.close()
    return found


VARIANTS = {
    "ours": ours,
    "bare driver": bare_driver,
    "client inside the handler": inside_the_handler,
}


def handler(event, context):
    """Run the named variant; answer with what it took in milliseconds."""
    variant = VARIANTS[event["variant"]]
    start = time.perf_counter()
    variant(context)
    return (time.perf_counter() - start) * 1000
