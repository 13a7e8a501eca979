"""Times what a service does in INIT, and answers with the milliseconds of each part.

A part is a package, with the standard library's modules that it is the first to import, or a step
of connecting. Each has what it takes itself, without the parts within it. Only the main thread
counts: the driver's monitors work while it waits for them.
"""

import importlib
import os
import sys
import threading
import time
from collections import defaultdict
from importlib import _bootstrap

STEPS = {
    "boto3": {"client": "boto3's client"},
    "botocore.client": {"BaseClient._make_api_call": "request to Secrets Manager"},
    "dns.resolver": {"resolve": "DNS"},
    "pymongo.ssl_support": {"get_ssl_context": "CA certificates"},
    "pymongo.synchronous.mongo_client": {"MongoClient.__init__": "MongoClient()"},
    "pymongo.synchronous.topology": {"Topology.select_server": "finding the primary"},
    "pymongo.synchronous.pool": {"Pool.connect": "connection to the primary"},
    "pymongo.synchronous.auth": {"authenticate": "login"},
}
"""Functions of libraries, by module."""

spent: dict[str, float] = defaultdict(float)
stack: list[list] = []  # of parts: name, and seconds of those within
main = threading.main_thread()
package, _, name = os.environ["PROFILED"].rpartition(".")


def timed(part, function):
    """Have the function's time count for the part that `part(*arguments)` names."""

    def wrapper(*arguments, **keywords):
        if threading.current_thread() is not main:
            return function(*arguments, **keywords)
        frame = [part(*arguments), 0.0]
        stack.append(frame)
        start = time.perf_counter()
        try:
            return function(*arguments, **keywords)
        finally:
            took = time.perf_counter() - start
            stack.pop()
            spent[frame[0]] += (took - frame[1]) * 1000
            if stack:
                stack[-1][1] += took

    return wrapper


def owner(module, *_):
    """Return whose import it is."""
    top = module.partition(".")[0]
    if top == package.partition(".")[0]:
        return "the service"
    if top not in sys.stdlib_module_names:
        return top
    return stack[-1][0] if stack else "the service"


load = timed(owner, _bootstrap._find_and_load)


def find_and_load(module, import_):
    loaded = load(module, import_)
    for path, step in STEPS.pop(module, {}).items():
        *outer, last = path.split(".")
        holder = getattr(loaded, outer[0]) if outer else loaded
        setattr(holder, last, timed(lambda *_, step=step: step, getattr(holder, last)))
    return loaded


_bootstrap._find_and_load = find_and_load
service = getattr(importlib.import_module(package), name)
init = dict(spent)


def handler(event, context):
    start = time.perf_counter()
    response = service(event, context)
    first = (time.perf_counter() - start) * 1000
    return {"parts": init, "first invocation": first, "statusCode": response["statusCode"]}
