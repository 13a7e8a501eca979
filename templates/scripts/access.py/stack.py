"""Who may log in to the database: the stack says, by MongoDB's resource types."""

import json

import boto3
from atlas import Atlas, Failure
from botocore.exceptions import ClientError
from environment import Environment

TYPES = [
{%- for type in atlas_types %}
    "MongoDB::Atlas::{{ type }}",
{%- endfor %}
]


def check(atlas: Atlas, environment: Environment, cluster: str) -> str:
    """See to it that CloudFormation may manage Atlas."""
    names = {"AtlasProjectId": atlas.project, "AtlasClusterName": cluster}
    environment.settings |= names
    cloudformation = boto3.client("cloudformation", region_name=environment.region)
    for name in TYPES:
        try:
            active = cloudformation.describe_type(Type="RESOURCE", TypeName=name).get("IsActivated")
        except ClientError:
            active = False
        if not active:
            raise Failure(f"{name} isn't activated: deploy atlas-bootstrap.yaml, see README.md.")
    return f"MongoDB's types are active, {check_key(atlas, environment)}"


def check_key(atlas: Atlas, environment: Environment) -> str:
    """See to it that CloudFormation, whose addresses nobody knows, may use the API key."""
    name = f"cfn/atlas/profile/{environment.settings.get('AtlasProfile', 'default')}"
    manager = boto3.client("secretsmanager", region_name=environment.region)
    try:
        secret = json.loads(manager.get_secret_value(SecretId=name)["SecretString"])
    except manager.exceptions.ResourceNotFoundException:
        raise Failure(f"There is no secret {name} with an API key: see README.md.") from None
    public = secret["PublicKey"]
    try:
        organization = atlas.read("projects", "describe", atlas.project)["orgId"]
        keys = [it for it in atlas.list("projects", "apiKeys", "list") if it["publicKey"] == public]
        entries = [
            entry["cidrBlock"]
            for it in keys
            for entry in atlas.list(
                *("organizations", "apiKeys", "accessLists", "list", it["id"]),
                *("--orgId", organization),
            )
        ]
    except Failure:
        return "you may not see whether the API key has an access list"
    if not keys:
        raise Failure(f"The API key {public} of the secret {name} isn't one of the Atlas project.")
    if entries:
        raise Failure(
            f"The API key {public} can be used from {', '.join(entries)} only, and CloudFormation "
            "calls Atlas from addresses that nobody knows: take a key without an access list, or "
            "bake with atlas_setup=cli."
        )
    return f"the API key {public} can be used from everywhere"


def grant(atlas: Atlas, environment: Environment, cluster: str, outputs: dict[str, str]) -> str:
    """Nothing: the stack does."""
    return "by the stack"


def revoke(atlas: Atlas, environment: Environment, outputs: dict[str, str]) -> None:
    """Nothing: the stack does."""
