{%- import 'budget.j2' as budget -%}
{%- from 'service.j2' import several with context -%}
{%- set path = "/items" if several else "/" -%}
"""Deploys the service to an environment, from nothing to a response: `make deploy`.

    python scripts/deploy.py {deploy,destroy,url{{ ",indexes" if several }}} [ENVIRONMENT] [OPTION ...]

It finds out what it can, asks what it can't, and keeps both in the environment's settings. Run it
again whenever you like: it goes on where it stopped, and changes only what differs.
"""

import argparse
{%- if several %}
import json
{%- endif %}
import re
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import boto3
{%- if cookiecutter.api_auth == "iam" %}
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
{%- endif %}
from botocore.exceptions import BotoCoreError, ClientError

sys.path.insert(0, str(Path(__file__).resolve().parent))  # PYTHONSAFEPATH leaves it out

import access
import network
from atlas import SHARED, Atlas, Failure, Item, NotYet, hosts, regions, run, sharded, tier, wait_for
from environment import ENVIRONMENTS, PREPARES, TOOLS, Environment

{% if cookiecutter.layout == "multi-lambda" -%}
MODULES = Path(__file__).parents[1] / "src/{{ cookiecutter.__package }}/functions"
FUNCTIONS = len(list(MODULES.glob("[!_]*.py")))
{%- elif cookiecutter.layout in ["single", "multi", "web"] -%}
FUNCTIONS = 1
{%- endif %}
# Connections that Atlas allows to each node, of which the functions may have half:
# https://www.mongodb.com/docs/atlas/reference/atlas-limits/
CONNECTIONS = {
{%- for tier, limit in budget.tiers.items() %}
    "{{ tier | upper }}": {{ limit }},
{%- endfor %}
}
PRICES = {
    "M0": "free, one for each project",
    "FLEX": "billed by use, up to a monthly limit",
    "M10": "billed by the hour, used or not",
}
GONE = ("", "REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED")


class Deployment:
    """One run."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.environment = Environment(options.environment, options.region)
        self.session = boto3.Session(region_name=self.environment.region)
        self.cloudformation: Any = self.session.client("cloudformation")
        self.atlas = Atlas(options.project or self.environment.project)
        self.cluster: Item = {}

    def step(self, name: str, do: Callable[..., str | None], *given: Any, dry: bool = True) -> None:
        """Do a step and say in a line what came of it, or end the program. A dry run only does what
        changes nothing."""
        print(f"{name:<16} ", end="", flush=True)
        if self.options.dry_run and not dry:
            print(f"would: {(do.__doc__ or '').splitlines()[0]}")
            return
        start = time.monotonic()
        try:
            said = do(*given)
        except (Failure, ClientError, BotoCoreError) as error:
            print("failed")
            sys.exit(f"{name}: {error} {advice(str(error))}".strip())
        print(f"{said or 'done'} ({time.monotonic() - start:.0f} s)")

    def deploy(self) -> None:
        """Deploy, and have Atlas allow the service."""
        atlas, environment = self.atlas, self.environment
        self.step("Tools", find_tools)
        self.step("AWS", self.find_account)
        self.step("Atlas", self.find_project)
        self.step("Cluster", self.find_cluster)
{%- if cookiecutter.api_auth == "jwt" %}
        self.step("Tokens", self.find_issuer)
{%- endif %}
        name, new = self.cluster["name"], self.status() in GONE
        self.step("Concurrency", self.find_concurrency)
        self.step("Database", access.check, atlas, environment, name)
        self.step("Network", network.prepare, atlas, environment, new, dry=False)
        self.step("Settings", environment.save, dry=False)
        self.step(PREPARES, environment.prepare, dry=False)
        self.step("Deploy", self.deploy_stack, dry=False)
        outputs, known = self.outputs(), dict(environment.settings)
        self.step("Database users", access.grant, atlas, environment, name, outputs, dry=False)
        self.step("Atlas's network", network.connect, atlas, environment, name, outputs, dry=False)
        if environment.settings != known:
            self.step("Settings", environment.save)
            self.step("Deploy again", self.deploy_stack)
{%- if cookiecutter.auth == "password" %}
        if environment.settings.get("RotationAdminSecretArn"):
            self.step("Rotation", self.rotate, dry=False)
{%- endif %}
{%- if several %}
        self.step("Indexes", self.create_indexes, dry=False)
{%- endif %}
        self.step("Call", self.call, dry=False)
        self.step("Connections", self.count_connections)

    def destroy(self) -> None:
        """Delete the stack, and what Atlas has of it."""
        atlas, environment, dry_run = self.atlas, self.environment, self.options.dry_run
        self.step("AWS", self.find_account)
        self.step("Atlas", self.find_project)
        question = f"Delete {environment.stack} and its logs? Type its name: "
        if not (self.options.yes or dry_run or ask(question) == environment.stack):
            sys.exit("Nothing is deleted.")
        outputs = self.outputs()
        self.step("Atlas's network", network.remove, atlas, environment, outputs, dry=False)
        self.step("Database users", access.revoke, atlas, environment, outputs, dry=False)
        self.step("Stack", self.delete_stack, dry=False)
        environment.settings.pop("ClusterHost", None)
        environment.region = environment.usual_region
        self.step("Settings", environment.save, dry=False)
        print("The cluster and its data are still there.")

    def find_account(self) -> str:
        """Find out who AWS says this is."""
        caller = self.session.client("sts").get_caller_identity()
        self.environment.account = caller["Account"]
        return f"{caller['Arn']}, {self.environment.region}"

    def find_project(self) -> str:
        """Find the Atlas project."""
        who = run("atlas", "auth", "whoami").strip().removeprefix("Logged in as ")
        projects = self.atlas.list("projects", "list", "--limit", "500")
        names = {it["id"]: it["name"] for it in projects}  # others may have a project of that name
        wanted = self.atlas.project
        found = [key for key, name in names.items() if wanted in (key, name)]
        if wanted and not found:
            seen = ", ".join(names.values()) or "none"
            raise Failure(f"{who} sees no Atlas project {wanted}, but {seen}.")
        if len(found) != 1:
            name = choose("project", [names[key] for key in found or names])
            found = [key for key in found or names if names[key] == name]
            if len(found) > 1:
                raise Failure(f"Several projects are named {name}: give --project {found[0]}")
        self.environment.project = self.atlas.project = found[0]
        return f"{who}, project {names[found[0]]}"

    def find_cluster(self) -> str:
        """Find the cluster, or make it."""
        clusters, settings = self.atlas.clusters(), self.environment.settings
        # Another environment's settings may have deployed the same stack.
        host = settings.get("ClusterHost") or self.outputs().get("ClusterHost")
        size = self.options.create_cluster
        if host:
            found = [name for name, it in clusters.items() if host in hosts(it)]
            if not found:
                raise Failure(
                    f"{host} is of no cluster of this Atlas project, which has "
                    f"{', '.join(clusters) or 'none'}: give another --project, or delete "
                    f"ClusterHost in {self.environment.where}."
                )
            name = found[0]
        elif size:
            name = self.environment.stack
            if name not in clusters:
                self.create_cluster(name, size)
        else:
            name = self.options.cluster or choose("cluster", list(clusters))
        self.cluster = wait_for(lambda: self.ready(name), minutes=40)
        size, where = tier(self.cluster), regions(self.cluster)
        self.check_size(size)
        if "srvMaxHosts" in settings.get("ConnectionOptions", "") and not sharded(self.cluster):
            raise Failure(
                f"{name} is a replica set, and srvMaxHosts is for sharded clusters: take it out of "
                f"ConnectionOptions in {self.environment.where}."
            )
        here = self.environment.region in where
        if network.PRIVATE and not here:
            raise Failure(
                f"{name} is in {', '.join(where)} and the stack in {self.environment.region}: "
                "they must be in the same Region."
            )
        settings.setdefault("ClusterHost", host or hosts(self.cluster)[0])
        return f"{name}, {size} in {', '.join(where)}{'' if here else ', far from the stack'}"

    def check_size(self, size: str) -> None:
        """Refuse a tier that has no network of its own, where one is needed."""
        if network.PRIVATE and size in SHARED:
            raise Failure(f"The network needs a cluster of tier M10 or larger, not {size}.")

    def create_cluster(self, name: str, size: str) -> None:
        """Make a cluster, if its price is right."""
        self.check_size(size)
        if self.options.dry_run:
            print(f"would make {name}, {size}, {PRICES[size]}. What follows needs it.")
            sys.exit()
        question = f"Make the cluster {name}, {size}, {PRICES[size]}? [y/N] "
        if not self.options.yes and ask(question).lower() not in ("y", "yes"):
            raise Failure("No cluster is made.")
        place = ["--provider", "AWS", "--region", self.environment.region.upper().replace("-", "_")]
        self.atlas.run("clusters", "create", name, "--tier", size, *place)

    def ready(self, name: str) -> Item | None:
        """Return a cluster that can be used, or nothing while it is being made."""
        cluster: Item = self.atlas.read("clusters", "describe", name)
        if cluster.get("paused"):
            raise Failure(f"{name} is paused: atlas clusters start {name}")
        return cluster if hosts(cluster) and cluster["stateName"] != "CREATING" else None

    def find_concurrency(self) -> str:
        """Find how many execution environments each function may have."""
        client = self.session.client("lambda")
        limits = client.get_account_settings()["AccountLimit"]
        free = limits["UnreservedConcurrentExecutions"] - 100  # which Lambda wants to keep
        names = [value for name, value in self.outputs().items() if name.endswith("FunctionName")]
        for name in names:
            reserved = client.get_function_concurrency(FunctionName=name)
            free += reserved.get("ReservedConcurrentExecutions", 0)
        free = max(free, 0) // FUNCTIONS
        budget = allowed(tier(self.cluster)) // 4 // FUNCTIONS
        given = int(self.environment.settings.get("ReservedConcurrency", budget))
        reserve = min(given, budget, free)
        self.environment.settings["ReservedConcurrency"] = str(reserve)
        if reserve < budget:
            return f"{reserve} reserved for each function, of {budget} that the cluster could serve"
        return f"{reserve} reserved for each function"

    def status(self) -> str:
        """Return the status of the stack, or nothing if there is none."""
        return str(self.stack().get("StackStatus", ""))

    def stack(self) -> Item:
        """Return what CloudFormation knows of the stack, or nothing if there is none."""
        name = self.environment.stack
        try:
            [found] = self.cloudformation.describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if "does not exist" in str(error):
                return {}
            raise
        return dict(found)

    def outputs(self) -> dict[str, str]:
        """Return the outputs of the stack."""
        return {it["OutputKey"]: it["OutputValue"] for it in self.stack().get("Outputs", [])}

    def output(self, name: str) -> str:
        """Return one output."""
        if name not in (found := self.outputs()):
            raise Failure(f"{self.environment.stack} has no output {name}: deploy it first.")
        return found[name]

    def events(self) -> list[Item]:
        """Return what CloudFormation says of the stack, newest first."""
        if self.status() == "":
            return []
        pages = self.cloudformation.get_paginator("describe_stack_events")
        return list(pages.paginate(StackName=self.environment.stack).search("StackEvents[]"))

    def settle(self) -> None:
        """Wait until nothing is going on in the stack."""
        going = ("_IN_PROGRESS",)
        wait_for(lambda: self.status() in GONE or not self.status().endswith(going), minutes=60)

    def deploy_stack(self) -> str:
        """Deploy the stack, or say why it fails in CloudFormation's words."""
        self.settle()
        if self.status() in GONE[2:]:  # its first deploy failed, so there is nothing to keep
            self.cloudformation.delete_stack(StackName=self.environment.stack)
            wait_for(lambda: self.status() == "", minutes=60)
        seen = {it["EventId"] for it in self.events()}
        try:
            self.environment.deploy()
        except Failure as error:
            failed = [
                f"{it['LogicalResourceId']}: {it.get('ResourceStatusReason', 'it failed')}"
                for it in self.events()
                if it["EventId"] not in seen
                and it.get("ResourceStatus", "").endswith("_FAILED")
                and "cancelled" not in it.get("ResourceStatusReason", "")
            ]
            raise Failure(failed[-1] if failed else str(error)) from None
        return f"{self.environment.stack} is {self.status()}"
{%- if cookiecutter.auth == "password" %}

    def rotate(self) -> str:
        """Have Secrets Manager rotate the password, if it never has."""
        manager, arn = self.session.client("secretsmanager"), self.output("DatabaseSecretArn")
        if last := manager.describe_secret(SecretId=arn).get("LastRotatedDate"):
            return f"last on {last:%Y-%m-%d}, by Secrets Manager every 30 days"
        version = manager.rotate_secret(SecretId=arn)["VersionId"]

        def rotated() -> bool:
            stages = manager.describe_secret(SecretId=arn)["VersionIdsToStages"]
            if "AWSCURRENT" not in stages.get(version, []):
                raise NotYet(
                    "Secrets Manager has not rotated the password. CloudTrail says why: see "
                    "docs/connections.md for what it needs."
                )
            return True

        wait_for(rotated, minutes=5)
        return "done, and from now on every 30 days"
{%- endif %}

    def delete_stack(self) -> str:
        """Delete the stack."""
        self.settle()
        if not self.status():
            return f"there is none in {self.environment.region}"
        self.environment.destroy()
        return "deleted"
{%- if several %}

    def create_indexes(self) -> str:
        """Create the indexes of the database."""
        client = self.session.client("lambda")
        name = self.output("{{ "CreateIndexes" if cookiecutter.layout == "multi-lambda" }}FunctionName")
        payload = json.dumps({"routeKey": "create-indexes"})

        def created() -> str:
{%- if cookiecutter.snapstart == "no" %}
            response = client.invoke(FunctionName=name, Payload=payload)
{%- elif cookiecutter.snapstart == "yes" %}
            response = client.invoke(FunctionName=name, Qualifier="live", Payload=payload)
{%- endif %}
            said: str = response["Payload"].read().decode()
            if "FunctionError" in response:
                raise NotYet(f"{name} says {said}")
            return said

        return wait_for(created, minutes=3)
{%- endif %}

{% include 'scripts/deploy.py/call/' ~ cookiecutter.api_auth ~ '.py' %}
    def count_connections(self) -> str:
        """Ask Atlas how many connections the primary has, or the busiest mongos."""
        size, nodes = tier(self.cluster), self.cluster["connectionStrings"].get("standard", "")
        if size in SHARED:
            return f"not told of a cluster of tier {size}"
        kind, counts = "mongos" if sharded(self.cluster) else "primary", []
        for process in self.atlas.list("processes", "list"):
            alias = process.get("userAlias")
            if alias and alias in nodes and process["typeName"].endswith(kind.upper()):
                options = ["--granularity", "PT1M", "--period", "PT10M", "--type", "CONNECTIONS"]
                metrics = self.atlas.read("metrics", "processes", process["id"], *options)
                points = [it for one in metrics["measurements"] for it in one["dataPoints"]]
                if values := [it["value"] for it in points if it.get("value") is not None]:
                    counts.append(values[-1])
        return f"{max(counts):.0f} on the {kind}, of all clients" if counts else "not measured yet"


def allowed(size: str) -> int:
    """Return how many connections a tier allows to each node. One that isn't in the list, such as
    R40, gets what the one below allows."""

    def number(name: str) -> int:
        return int(re.sub(r"\D", "", name) or 0)

    below = [limit for name, limit in CONNECTIONS.items() if number(name) < number(size)]
    return CONNECTIONS.get(size) or below[-1]


def find_tools() -> str:
    """Find the programs that are needed."""
    tools = [*TOOLS, ["atlas", "--version"]]
    return ", ".join(run(*command).strip().splitlines()[0] for command in tools)


def ask(question: str) -> str:
    """Return what is typed, or end the step if nobody can type."""
    if not sys.stdin.isatty():
        raise Failure(f"{question.rstrip()} Nobody can be asked here: give --yes.")
    return input(f"\n{question}").strip()


def choose(what: str, names: list[str]) -> str:
    """Return the one name, or ask which."""
    if not names:
        more = ", or have one made by --create-cluster M0|FLEX|M10" if what == "cluster" else ""
        raise Failure(f"There is no {what} in Atlas: make one{more}.")
    if len(names) == 1:
        return names[0]
    if not sys.stdin.isatty():
        raise Failure(f"There are several: {', '.join(names)}. Say which by --{what} NAME.")
    name = ask(f"Which {what}: {', '.join(names)}? ")
    return name if name in names else choose(what, names)


def advice(error: str) -> str:
    """Return what to do about an error."""
    if error.startswith("`atlas"):
        if "access list" in error or "IP_ADDRESS" in error:
            return "Add this machine's address to the access list of your Atlas API key."
        if re.search("unauthorized|authenticat|expired|logged in|401", error, re.IGNORECASE):
            return "Sign in by `atlas auth login`, and run it again."
    elif re.search("expired|InvalidClientTokenId|UnrecognizedClient|credentials|SSO Token", error):
        return "Sign in by `aws login`, and run it again."
    return ""


def main() -> None:
    """Read the command line, and do what it says."""
    parser = argparse.ArgumentParser(description="Deploys the service to an environment.")
    add = parser.add_argument
    add("command", choices=["deploy", "destroy", "url"{{ ', "indexes"' if several }}])
    add("environment", nargs="?", default="default", choices=ENVIRONMENTS)
    add("--region", default="", help="Region of the stack, if not the one of the settings")
    add("--project", default="", help="name or ID of the Atlas project")
    add("--cluster", help="name of the cluster")
    add("--create-cluster", choices=PRICES, metavar="|".join(PRICES), help="make the cluster")
{%- if cookiecutter.api_auth == "jwt" %}
    add("--jwt-issuer", default="", help="who issues the tokens that the API accepts")
    add("--jwt-audience", default="", help="whom they are for, separated by commas")
{%- endif %}
    add("--dry-run", action="store_true", help="only say what would be done")
    add("--yes", action="store_true", help="don't ask: what costs or deletes is agreed to")
    options = parser.parse_args()
    try:
        deployment = Deployment(options)
        if options.command == "url":
            print(deployment.output("ApiUrl"))
{%- if several %}
        elif options.command == "indexes":
            deployment.step("Indexes", deployment.create_indexes, dry=False)
{%- endif %}
        else:
            getattr(deployment, options.command)()
    except (KeyboardInterrupt, EOFError):
        sys.exit("\nStopped. Run it again: it goes on where it stopped.")
    except (ClientError, BotoCoreError, Failure) as error:
        sys.exit(f"{error} {advice(str(error))}".strip())


if __name__ == "__main__":
    main()
