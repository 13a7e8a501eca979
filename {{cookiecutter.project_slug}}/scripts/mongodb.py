"""Finds a MongoDB for the tests and for `make local`, or starts one."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pymongo import MongoClient
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError

COMPOSE_FILE = Path(__file__).resolve().parent.parent / "compose.yaml"


class NoMongoDB(Exception):
    """There is no MongoDB to use. The message says why in one sentence, without the URI."""


@contextmanager
def find_mongodb() -> Iterator[str]:
    """Yield the URI of the MongoDB at `MONGODB_URI`, or else of a throwaway one.

    That is a `mongod` from the PATH, or a container. It is gone when the block ends.

    Raises:
        NoMongoDB: there is none, or it refuses the login.
    """
    if uri := os.environ.get("MONGODB_URI"):
        check(uri)
        yield uri
    elif mongod := shutil.which("mongod"):
        with run_mongod(mongod) as uri:
            yield uri
    elif docker := find_docker():
        with run_container(docker) as uri:
            yield uri
    else:
        raise NoMongoDB("No MongoDB here: set MONGODB_URI, put mongod on the PATH or start Docker.")


def check(uri: str) -> None:
    """Connect once, log in if the URI says as whom, and see that this is enough for the server.

    Raises:
        NoMongoDB: that failed.
    """
    try:
        with MongoClient[dict[str, Any]](
            uri, serverSelectionTimeoutMS=5000, connectTimeoutMS=5000
        ) as client:
            client.list_database_names()  # whoever is logged in may, and sees their own
    except OperationFailure as error:
        if error.code == 13:
            raise NoMongoDB("MongoDB asks for a username and a password in MONGODB_URI.") from None
        raise NoMongoDB("MongoDB refuses the username or the password in MONGODB_URI.") from None
    except ConnectionFailure:
        raise NoMongoDB("No MongoDB answers at MONGODB_URI.") from None
    except (PyMongoError, OSError, ValueError) as error:  # their messages may quote the URI
        raise NoMongoDB(f"MONGODB_URI can't be used: {type(error).__name__}.") from None


@contextmanager
def run_mongod(program: str) -> Iterator[str]:
    """Run mongod on a free port and yield its URI."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    uri = f"mongodb://127.0.0.1:{port}"
    # In a session or process group of its own, so that Ctrl-C doesn't stop it before us.
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [program, "--dbpath", folder, "--bind_ip", "127.0.0.1", "--port", str(port)]
        server = subprocess.Popen(  # noqa: S603
            [*command, "--logpath", f"{folder}/mongod.log"],
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # of Windows
        )
        try:
            wait_for(server, uri)
            yield uri
        finally:
            server.terminate()
            server.wait()


def wait_for(server: "subprocess.Popen[bytes]", uri: str) -> None:
    """Return when the server answers.

    Raises:
        NoMongoDB: it ended instead.
    """
    with MongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=500) as client:
        while server.poll() is None:
            try:
                client.admin.command("ping")
            except ConnectionFailure:
                continue
            return
    raise NoMongoDB(f"mongod from the PATH ended with {server.returncode} instead of starting.")


def find_docker() -> str | None:
    """Return the docker command if an engine runs here."""
    docker = shutil.which("docker")
    if docker is None:
        return None
    info = subprocess.run([docker, "info"], capture_output=True, check=False)  # noqa: S603
    return docker if info.returncode == 0 else None


@contextmanager
def run_container(docker: str) -> Iterator[str]:
    """Run the service of compose.yaml on a free port and yield its URI."""
    # Under a name of its own: `docker compose up` in this folder starts another, with other data.
    name = f"{{ cookiecutter.project_slug }}-throwaway-{os.getpid()}"
    compose = [docker, "compose", "--file", str(COMPOSE_FILE), "--project-name", name]
    environment = {**os.environ, "MONGODB_PORT": ""}

    def run(*arguments: str) -> str:
        result = subprocess.run(  # noqa: S603
            [*compose, *arguments], env=environment, stdout=subprocess.PIPE, text=True, check=False
        )
        if result.returncode:
            raise NoMongoDB(f"docker compose {arguments[0]} failed, see above.")
        return result.stdout.strip()

    try:
        run("up", "--detach", "--wait")
        yield f"mongodb://{run('port', 'mongodb', '27017')}/?directConnection=true"
    finally:
        down = [*compose, "down", "--volumes"]
        subprocess.run(down, env=environment, check=False)  # noqa: S603
