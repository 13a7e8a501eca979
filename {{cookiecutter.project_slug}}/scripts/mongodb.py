"""Finds a MongoDB for the tests and for `make local`, or starts one that is gone in the end."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pymongo import MongoClient
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError

COMPOSE_FILE = Path(__file__).resolve().parent.parent / "compose.yaml"


class NoMongoDB(SystemExit):
    """There is no MongoDB to use. Ends a program with one sentence, which has no URI in it."""


@contextmanager
def find_mongodb() -> Iterator[str]:
    """Yield the URI of the MongoDB at `MONGODB_URI`, of a mongod from the PATH, or of a container.

    Raises:
        NoMongoDB: there is none, or it refuses the login.
    """
    if uri := os.environ.get("MONGODB_URI"):
        check(uri)
        yield uri
    elif program := shutil.which("mongod"):
        with run_mongod(program) as uri:
            yield uri
    elif program := shutil.which("docker"):
        with run_container(program) as uri:
            yield uri
    else:
        raise NoMongoDB("No MongoDB here: set MONGODB_URI, put mongod on the PATH or start Docker.")


def check(uri: str) -> None:
    """Log in, if the URI says as whom, and see that this is enough for the server."""
    try:
        with MongoClient[Any](uri, serverSelectionTimeoutMS=5000) as client:
            client.list_database_names()  # whoever is logged in may, and sees their own
    except OperationFailure:
        sentence = "MongoDB refuses the login: MONGODB_URI must have a username and its password."
        raise NoMongoDB(sentence) from None
    except ConnectionFailure:
        raise NoMongoDB("No MongoDB answers at MONGODB_URI.") from None
    except (PyMongoError, OSError, ValueError) as error:  # their messages may quote the URI
        raise NoMongoDB(f"MONGODB_URI can't be used: {type(error).__name__}.") from None


@contextmanager
def run_mongod(program: str) -> Iterator[str]:
    """Run mongod on a free port and yield its URI."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [program, "--dbpath", folder, "--bind_ip", "127.0.0.1", "--port", str(port)]
        # In a session or process group of its own, so that Ctrl-C doesn't stop it before us.
        server = subprocess.Popen(  # noqa: S603
            [*command, "--logpath", f"{folder}/mongod.log"],
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # of Windows
        )
        try:
            with MongoClient[Any]("127.0.0.1", port, serverSelectionTimeoutMS=500) as client:
                while server.poll() is None:
                    with suppress(ConnectionFailure):
                        client.admin.command("ping")
                        break
                else:
                    raise NoMongoDB(f"mongod ended with {server.returncode} instead of starting.")
            yield f"mongodb://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait()


@contextmanager
def run_container(program: str) -> Iterator[str]:
    """Run the service of compose.yaml on a free port and yield its URI."""
    # Under a name of its own: `docker compose up` in this folder starts another, with other data.
    name = f"{{ cookiecutter.project_slug }}-throwaway-{os.getpid()}"
    compose = [program, "compose", "--file", str(COMPOSE_FILE), "--project-name", name]
    environment = {**os.environ, "MONGODB_PORT": ""}
    run = partial(subprocess.run, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        run([*compose, "up", "--detach", "--wait"], check=True)
        address = run([*compose, "port", "mongodb", "27017"], check=True).stdout.strip()
        yield f"mongodb://{address}/?directConnection=true"
    except subprocess.CalledProcessError:
        raise NoMongoDB("Docker didn't start compose.yaml's MongoDB, see above.") from None
    finally:
        run([*compose, "down", "--volumes"])
