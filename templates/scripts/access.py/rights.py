def find_users(atlas: Atlas, database: str) -> dict[str, Item]:
    """Return by name the users that authenticate against a database. In others, names recur."""
    users = atlas.list("dbusers", "list", "--limit", "500")
    return {it["username"]: it for it in users if it["databaseName"] == database}


def rights_on(cluster: str) -> list[str]:
    """Return the Atlas CLI's options for the rights of the service."""
    roles = ",".join(f"{ROLE}@{database}" for database in DATABASES)
    return ["--role", roles, "--scope", cluster]


def has_rights(user: Item, cluster: str) -> bool:
    """Whether a database user has the rights of the service, and no others."""
    roles = [
        (it["roleName"], it["databaseName"], it.get("collectionName") or "")
        for it in user.get("roles") or []
    ]
    scopes = [(it["name"], it["type"]) for it in user.get("scopes") or []]
    expected = [(ROLE, database, "") for database in DATABASES]
    return sorted(roles) == sorted(expected) and scopes == [(cluster, "CLUSTER")]


def told(name: str, users: dict[str, Item]) -> str:
    """Return the name of a user, and when Atlas is going to delete it."""
    until = users.get(name, {}).get("deleteAfterDate")
    short = name.rpartition("/")[2]
    return f"{short}, which Atlas will delete at {until}" if until else short
