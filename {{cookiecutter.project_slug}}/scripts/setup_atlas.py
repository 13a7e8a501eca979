{%- set network = cookiecutter.network -%}
{%- set password = cookiecutter.auth == "password" -%}
"""Sets Atlas up for the deployed service: its database users and its network access.

    uv run scripts/setup_atlas.py CLUSTER [--project ID] [--stack NAME] [--region NAME] [--dry-run]

Run it after a deploy, as often as you like: it changes only what differs. It reads the stack with
the AWS CLI and changes Atlas with the Atlas CLI; both must be signed in.
"""

import argparse
{%- if network == "peering" %}
import ipaddress
{%- endif %}
import json
import shlex
import shutil
import subprocess
import sys
from typing import Any
from urllib.parse import urlsplit

# What the service may read and write.
DATABASES = [{{ cookiecutter.__database_name_literal }}]
STACK = "{{ cookiecutter.project_slug }}"
REGION = "{{ cookiecutter.aws_region }}"

{%- if network == "peering" %}
# States of a peering that will never be active again.
ENDED = ("FAILED", "TERMINATING")
{%- endif %}

Item = dict[str, Any]


class Stack:
    """The deployed stack: its outputs."""

    def __init__(self, name: str, region: str) -> None:
        self.name, self.region = name, region
        command = ["aws", "cloudformation", "describe-stacks", "--stack-name", name]
        [stack] = json.loads(run([*command, "--region", region, "--output", "json"]))["Stacks"]
        if stack["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            sys.exit(f"The stack {name} is in {stack['StackStatus']}: deploy it first.")
        self.account: str = stack["StackId"].split(":")[4]
        self.outputs = {it["OutputKey"]: it["OutputValue"] for it in stack.get("Outputs", [])}

    def output(self, name: str) -> str:
        """Return an output, or end the program."""
        if not self.outputs.get(name):
            sys.exit(f"{self.name} has no output {name}.")
        return str(self.outputs[name])


class Atlas:
    """The Atlas project."""

    def __init__(self, project: str | None, dry_run: bool) -> None:
        self._project = ["--projectId", project] if project else []
        self.dry_run = dry_run

    def read(self, *arguments: str) -> Any:
        """Return the output of a command."""
        command = ["atlas", *arguments, *self._project, "--output", "json"]
        return json.loads(run(command) or "null")

    def read_list(self, *arguments: str) -> list[Item]:
        """Return the items that a command lists, which are in a page, in a list, or null."""
        output = self.read(*arguments)
        return (output.get("results") if isinstance(output, dict) else output) or []

    def change(self, *arguments: str{{ ", secret: str | None = None" if password }}) -> None:
        """Show a command and run it, unless this is a dry run.{{ " The secret is its input." if password }}"""
        command = ["atlas", *arguments, *self._project]
{%- if password %}
        print(shlex.join(command) + (" < the password" if secret else ""))
        if not self.dry_run:
            run(command, secret)
{%- else %}
        print(shlex.join(command))
        if not self.dry_run:
            run(command)
{%- endif %}


def main() -> None:
    """Compare Atlas with the stack, and change what differs."""
    parser = argparse.ArgumentParser(description="Sets Atlas up for the deployed service.")
    parser.add_argument("cluster", help="name of the cluster, such as Cluster0")
    parser.add_argument("--project", help="ID of the Atlas project, if not the Atlas CLI's own")
    parser.add_argument("--stack", default=STACK, help="name of the stack, %(default)s")
    parser.add_argument("--region", default=REGION, help="where the stack is, %(default)s")
    parser.add_argument("--dry-run", action="store_true", help="only show what would be changed")
    options = parser.parse_args()
    stack = Stack(options.stack, options.region)
    atlas = Atlas(options.project, options.dry_run)
    cluster = atlas.read("clusters", "describe", options.cluster)
    if stack.output("ClusterHost") not in hosts(cluster):
        host = stack.output("ClusterHost")
        sys.exit(f"ClusterHost, {host}, is not a host of {cluster['name']}.")
{%- if network == "private-endpoint" %}
    service = find_service(atlas, stack.output("EndpointServiceName"))
    endpoint = stack.output("AtlasEndpointId")
    ensure_users(atlas, stack, options.cluster)
    ensure_endpoint(atlas, service, endpoint)
    print_private_host(cluster, endpoint, stack.output("ClusterHost"))
{%- elif network == "peering" %}
    vpc, cidr = stack.output("VpcId"), stack.output("VpcCidr")
    check_ranges(atlas, cidr, stack.output("AtlasCidr"), stack.region)
    ensure_users(atlas, stack, options.cluster)
    allow_addresses(atlas, [cidr], "cidrBlock", stack.name)
    ensure_peering(atlas, stack, vpc, cidr)
{%- elif network == "nat" %}
    addresses = stack.output("NatAddress").split(",")
    ensure_users(atlas, stack, options.cluster)
    allow_addresses(atlas, addresses, "ipAddress", stack.name)
{%- else %}
    ensure_users(atlas, stack, options.cluster)
    print("WARNING: Atlas has to allow the whole internet. Only the login protects the data.")
    allow_addresses(atlas, ["0.0.0.0/0"], "cidrBlock", stack.name)
{%- endif %}


def hosts(cluster: Item) -> set[str]:
    """Return the host names of the cluster that clients may connect to."""
    strings = cluster.get("connectionStrings") or {}
    private = [it.get("srvConnectionString") for it in strings.get("privateEndpoint") or []]
    uris = [strings.get("standardSrv"), strings.get("privateSrv"), *private]
    return {urlsplit(uri).hostname or "" for uri in uris if uri}

{% if password %}
def ensure_users(atlas: Atlas, stack: Stack, cluster: str) -> None:
    """Make the secret's user a database user, with the rights it needs and no others."""
    arn = stack.output("DatabaseSecretArn")
    command = ["aws", "secretsmanager", "get-secret-value", "--secret-id", arn]
    command += ["--region", stack.region, "--query", "SecretString", "--output", "text"]
    secret = json.loads(run(command))
    name = secret["username"]
    rights = rights_on(cluster)
    users = find_users(atlas, "admin")
    if name not in users:
        # Without --password, the Atlas CLI reads it from its input: no process list shows it.
        atlas.change("dbusers", "create", "--username", name, *rights, secret=secret["password"])
        return
    if not has_rights(users[name], cluster):
        atlas.change("dbusers", "update", name, "--authDB", "admin", *rights)
    warn_if_temporary(users[name], f"the database user {name}")
    print(f"The database user {name} keeps its password. If it isn't the secret's, delete the user")
    print(f"and run this again: atlas dbusers delete {name} --authDB admin")
{%- else %}
def ensure_users(atlas: Atlas, stack: Stack, cluster: str) -> None:
    """Make each execution role a database user, with the rights it needs and no others."""
    roles = [value for name, value in stack.outputs.items() if name.endswith("ExecutionRoleArn")]
    if not roles:
        sys.exit(f"{stack.name} has no output ExecutionRoleArn.")
    rights = rights_on(cluster)
    users = find_users(atlas, "$external")
    for role in roles:
        if role in users and users[role].get("awsIAMType") != "ROLE":
            delete = f"atlas dbusers delete {role} --authDB '$external'"
            sys.exit(f"The user {role} isn't for an IAM role: run this again after {delete}")
    for role in roles:
        if role not in users:
            user = ["--username", role, "--awsIAMType", "ROLE"]
            atlas.change("dbusers", "create", *user, *rights)
            continue
        if not has_rights(users[role], cluster):
            atlas.change("dbusers", "update", role, "--authDB", "$external", *rights)
        warn_if_temporary(users[role], f"the database user {role}")
{%- endif %}


def find_users(atlas: Atlas, database: str) -> dict[str, Item]:
    """Return by name the users that authenticate against a database. In others, names recur."""
    users = atlas.read_list("dbusers", "list", "--limit", "500")
    return {it["username"]: it for it in users if it["databaseName"] == database}


def rights_on(cluster: str) -> list[str]:
    """Return the Atlas CLI's options for the rights of the service."""
    roles = ",".join(f"readWrite@{database}" for database in DATABASES)
    return ["--role", roles, "--scope", cluster]


def has_rights(user: Item, cluster: str) -> bool:
    """Whether a database user has the rights of the service, and no others."""
    roles = [
        (it["roleName"], it["databaseName"], it.get("collectionName") or "")
        for it in user.get("roles") or []
    ]
    scopes = [(it["name"], it["type"]) for it in user.get("scopes") or []]
    expected = [("readWrite", database, "") for database in DATABASES]
    return sorted(roles) == sorted(expected) and scopes == [(cluster, "CLUSTER")]


def warn_if_temporary(item: Item, name: str) -> None:
    """Warn if Atlas is going to delete a user or an entry."""
    if until := item.get("deleteAfterDate"):
        print(f"WARNING: Atlas will delete {name} at {until}. Delete it now, and run this again.")

{% if network != "private-endpoint" %}
def allow_addresses(atlas: Atlas, addresses: list[str], kind: str, comment: str) -> None:
    """Add addresses to the project's IP access list."""
    entries = atlas.read_list("accessLists", "list", "--limit", "500")
    for address in addresses:
        found = [entry for entry in entries if entry.get(kind) == address]
        if not found:
            atlas.change("accessLists", "create", address, "--type", kind, "--comment", comment)
        for entry in found:
            warn_if_temporary(entry, f"the entry {address} of the IP access list")

{% endif %}
{%- if network == "private-endpoint" %}
def find_service(atlas: Atlas, name: str) -> Item:
    """Return the project's private endpoint service, or end the program."""
    for service in atlas.read_list("privateEndpoints", "aws", "list"):
        if service.get("endpointServiceName") == name:
            return service
    sys.exit(f"The Atlas project has no private endpoint service {name}.")


def ensure_endpoint(atlas: Atlas, service: Item, endpoint: str) -> None:
    """Add the stack's endpoint to the private endpoint service."""
    if endpoint not in (service.get("interfaceEndpoints") or []):
        create = ["privateEndpoints", "aws", "interfaces", "create", service["id"]]
        atlas.change(*create, "--privateEndpointId", endpoint)


def print_private_host(cluster: Item, endpoint: str, deployed: str) -> None:
    """Print the cluster's host name behind the endpoint, to deploy with."""
    for private in cluster["connectionStrings"].get("privateEndpoint") or []:
        if endpoint in [it.get("endpointId") for it in private.get("endpoints") or []]:
            host = urlsplit(private["srvConnectionString"]).hostname
            if host == deployed:
                print("The service uses the private endpoint.")
            else:
                print(f"Deploy again, with ClusterHost={host}")
            return
    print("Run this again in a few minutes, when the cluster has a host behind the endpoint.")

{% elif network == "peering" %}
def check_ranges(atlas: Atlas, cidr: str, atlas_cidr: str, region: str) -> None:
    """End the program if the stack can't be peered with Atlas's network."""
    vpc_range = ipaddress.ip_network(cidr, strict=False)
    if vpc_range.overlaps(ipaddress.ip_network(atlas_cidr, strict=False)):
        sys.exit(f"The VPC's range, {cidr}, overlaps AtlasCidr, {atlas_cidr}.")
    for container in atlas.read_list("networking", "containers", "list", "--provider", "AWS"):
        found = container.get("atlasCidrBlock")
        name = region.upper().replace("-", "_")  # as Atlas spells it
        if container.get("regionName") == name and found != atlas_cidr:
            sys.exit(f"Atlas's network in {region} is {found}: deploy with AtlasCidr={found}")


def ensure_peering(atlas: Atlas, stack: Stack, vpc: str, cidr: str) -> None:
    """Request and accept the peering of the VPC, then print its ID, to deploy with."""
    peering = find_peering(atlas, vpc)
    if peering is None:
        create = ["--accountId", stack.account, "--region", stack.region, "--vpcId", vpc]
        create += ["--routeTableCidrBlock", cidr]
        create += ["--atlasCidrBlock", stack.output("AtlasCidr")]
        atlas.change("networking", "peering", "create", "aws", *create)
        peering = find_peering(atlas, vpc)
    if peering is None or not peering.get("connectionId"):
        print("Atlas takes a minute to request the peering. Run this again to accept it.")
        return
    connection = peering["connectionId"]
    if peering["statusName"] == "PENDING_ACCEPTANCE":
        command = ["aws", "ec2", "accept-vpc-peering-connection", "--region", stack.region]
        command += ["--vpc-peering-connection-id", connection]
        print(shlex.join(command))
        if not atlas.dry_run:
            run(command)
    if connection == stack.outputs.get("PeeringConnectionId"):
        print("The service uses the peering.")
    else:
        print(f"Deploy again, with PeeringConnectionId={connection}")


def find_peering(atlas: Atlas, vpc: str) -> Item | None:
    """Return Atlas's peering with the VPC, unless it has ended."""
    for peering in atlas.read_list("networking", "peering", "list", "--provider", "AWS"):
        if peering.get("vpcId") == vpc and peering.get("statusName") not in ENDED:
            return peering
    return None

{% endif %}
def run(command: list[str]{{ ", secret: str | None = None" if password }}) -> str:
    """Return what a command prints, or end the program with its error message."""
    program = shutil.which(command[0])
    if program is None:
        sys.exit(f"The program {command[0]} is needed: README.md says where to get it.")
{%- if password %}
    given = f"{secret}\n" if secret else ""
{%- endif %}
    done = subprocess.run(  # noqa: S603
        [program, *command[1:]],
        input={{ "given" if password else '""' }},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if "error" in line.lower()]
        message = (errors or lines or [""])[0]
        sys.exit(f"{' '.join(command[:3])} failed: {message.removeprefix('Error: ')}")
    return done.stdout


if __name__ == "__main__":
    main()
