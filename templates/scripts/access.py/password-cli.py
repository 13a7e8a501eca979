"""Who may log in to the database: the secret's user, with no more rights than it needs."""

import json

import boto3
from atlas import Atlas, Failure, Item
from environment import Environment

# What the service may read and write.
DATABASES = [{{ cookiecutter.__database_name_literal }}]
ROLE = "readWrite"


def check(atlas: Atlas, environment: Environment, cluster: str) -> str:
    """Atlas needs nothing before the deploy, and a rotation its project."""
    if environment.settings.get("RotationAdminSecretArn"):
        environment.settings["AtlasProjectId"] = atlas.project
    return ", ".join(f"{ROLE} on {it}" for it in DATABASES)


def grant(atlas: Atlas, environment: Environment, cluster: str, outputs: dict[str, str]) -> str:
    """Make the secret's user a database user, with the rights it needs and no others."""
    manager = boto3.client("secretsmanager", region_name=environment.region)
    arn = outputs["DatabaseSecretArn"]
    secret = json.loads(manager.get_secret_value(SecretId=arn)["SecretString"])
    name = secret["username"]
    users = find_users(atlas, "admin")
    mark = f"{arn}, rotated" if "groupId" in secret else arn
    owner = users.get(name, {}).get("description") or arn
    if owner.split(":")[3:5] != arn.split(":")[3:5]:
        raise Failure(f"The database user {name} is {owner}'s: use a project for each account.")
    # Of a secret that was deleted with its stack, or before the rotation was turned on or off: the
    # password is another.
    if owner != mark:
        atlas.run("dbusers", "delete", name, "--authDB", "admin", "--force")
        del users[name]
    if name not in users:
        # Without --password, the Atlas CLI reads it from its input: no process list shows it.
        create = ["dbusers", "create", "--username", name, "--desc", mark, *rights_on(cluster)]
        atlas.run(*create, secret=secret["password"])
    elif not has_rights(users[name], cluster):
        atlas.run("dbusers", "update", name, "--authDB", "admin", *rights_on(cluster))
    return told(name, users)


def revoke(atlas: Atlas, environment: Environment, outputs: dict[str, str]) -> None:
    """Delete that user."""
    found = find_users(atlas, "admin").get(environment.stack)  # the name in the secret
    arn = outputs.get("DatabaseSecretArn")
    if arn and found and (found.get("description") or arn).partition(",")[0] == arn:
        atlas.run("dbusers", "delete", environment.stack, "--authDB", "admin", "--force")


{% include 'scripts/access.py/rights.py' -%}
