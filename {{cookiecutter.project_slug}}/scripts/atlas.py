"""The Atlas CLI, and what its output says of clusters."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

Item = dict[str, Any]
T = TypeVar("T")

PROJECTS = (("projects", "list"), ("projects", "describe"))
SHARED = ("M0", "M2", "M5", "FLEX")  # tiers without a network of their own


class Failure(Exception):
    """A step can't be done; the message is for people."""


class NotYet(Failure):
    """What is waited for isn't ready; the message says why."""


def run(*command: str, secret: str = "") -> str:
    """Return what a program prints, or raise what it complains of. It can read the secret."""
    program = shutil.which(command[0])
    if program is None:
        raise Failure(f"The program {command[0]} is needed: README.md says where to get it.")
    done = subprocess.run(  # noqa: S603
        [program, *command[1:]],
        input=f"{secret}\n" if secret else "",
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        lines = [it.strip() for it in (done.stderr or done.stdout).splitlines() if it.strip()]
        # That a tool's own child failed is no reason: what the child said is.
        lines = [it for it in lines if "exited with error" not in it] or lines
        errors = [line for line in lines if re.search(r"\berror\b", line, re.IGNORECASE)]
        said = (errors or lines[-1:] or ["no reason given"])[0].removeprefix("Error: ")
        raise Failure(f"`{' '.join(command[:3])}` says: {said}")
    return done.stdout


def wait_for(check: Callable[[], T | None], minutes: int) -> T:
    """Return what a check finds, as soon as it finds something."""
    start, space, why = time.monotonic(), "", "run it again later."
    while True:
        try:
            if found := check():
                print(space, end="")
                return found
        except NotYet as error:
            why = str(error)
        if time.monotonic() > start + 60 * minutes:
            raise Failure(f"It isn't ready after {minutes} minutes: {why}")
        print(".", end="", flush=True)
        space = " "
        time.sleep(5)


class Atlas:
    """An Atlas project."""

    def __init__(self, project: str) -> None:
        self.project = project

    def run(self, *arguments: str, secret: str = "") -> str:
        """Run a command of the Atlas CLI, on the project unless it is about more than that."""
        wider = arguments[0] == "organizations" or arguments[:2] in PROJECTS
        project = [] if wider else ["--projectId", self.project]
        return run("atlas", *arguments, *project, secret=secret)

    def read(self, *arguments: str) -> Any:
        """Return the output of a command."""
        return json.loads(self.run(*arguments, "--output", "json") or "null")

    def list(self, *arguments: str) -> list[Item]:
        """Return the items that a command lists, which are in a page, in a list, or null."""
        output = self.read(*arguments)
        return (output.get("results") if isinstance(output, dict) else output) or []

    def clusters(self) -> dict[str, Item]:
        """Return the project's clusters by name. Those of Flex are listed apart."""
        found = self.list("clusters", "list") + self.list("clusters", "list", "--tier", "FLEX")
        return {it["name"]: it for it in found}


def tier(cluster: Item) -> str:
    """Return the tier (size) of a cluster, such as M10."""
    if "replicationSpecs" not in cluster:
        return "FLEX"
    return str(cluster["replicationSpecs"][0]["regionConfigs"][0]["electableSpecs"]["instanceSize"])


def sharded(cluster: Item) -> bool:
    """Return whether clients connect to its routers, mongos, and not to the nodes."""
    return "SHARDED" in cluster.get("clusterType", "")


def regions(cluster: Item) -> list[str]:
    """Return the Regions of a cluster, as AWS spells them."""
    if "replicationSpecs" in cluster:
        places = [place for it in cluster["replicationSpecs"] for place in it["regionConfigs"]]
    else:
        places = [cluster["providerSettings"]]
    return [it["regionName"].lower().replace("_", "-") for it in places]


def hosts(cluster: Item) -> list[str]:
    """Return the host names of a cluster that clients may connect to, the public one first."""
    strings = cluster.get("connectionStrings") or {}
    uris = [strings.get("standardSrv"), strings.get("privateSrv")]
    for private in strings.get("privateEndpoint") or []:
        uris += map(private.get, ("srvConnectionString", "srvShardOptimizedConnectionString"))
    return [urlsplit(uri).hostname or "" for uri in uris if uri]
