"""Who may log in to the database: the execution roles, with no more rights than they need."""

from atlas import Atlas, Failure, Item
from environment import Environment

# What the service may read and write.
DATABASES = [{{ cookiecutter.__database_name_literal }}]
ROLE = "readWrite"


def check(atlas: Atlas, environment: Environment, cluster: str) -> str:
    """Atlas needs nothing before the deploy."""
    return ", ".join(f"{ROLE} on {it}" for it in DATABASES)


def grant(atlas: Atlas, environment: Environment, cluster: str, outputs: dict[str, str]) -> str:
    """Make each execution role a database user, with the rights it needs and no others."""
    users = find_users(atlas, "$external")
    roles = roles_of(outputs)
    for role in roles:
        if role in users and users[role].get("awsIAMType") != "ROLE":
            delete = f"atlas dbusers delete {role} --authDB '$external'"
            raise Failure(f"The user {role} isn't for an IAM role: run this again after {delete}")
    for role in roles:
        if role not in users:
            user = ["--username", role, "--awsIAMType", "ROLE"]
            atlas.run("dbusers", "create", *user, *rights_on(cluster))
        elif not has_rights(users[role], cluster):
            atlas.run("dbusers", "update", role, "--authDB", "$external", *rights_on(cluster))
    return ", ".join(told(role, users) for role in roles)


def revoke(atlas: Atlas, environment: Environment, outputs: dict[str, str]) -> None:
    """Delete those users."""
    for role in find_users(atlas, "$external").keys() & set(roles_of(outputs)):
        atlas.run("dbusers", "delete", role, "--authDB", "$external", "--force")


def roles_of(outputs: dict[str, str]) -> list[str]:
    """Return the ARNs of the execution roles."""
    return [value for name, value in outputs.items() if name.endswith("ExecutionRoleArn")]


{% include 'scripts/access.py/rights.py' -%}
