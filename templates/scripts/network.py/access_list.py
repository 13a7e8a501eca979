def allow(atlas: Atlas, address: str, kind: str, comment: str) -> str:
    """Add an address to the project's IP access list, unless it is there."""
    for entry in atlas.list("accessLists", "list", "--limit", "500"):
        if entry.get(kind) == address:
            until = entry.get("deleteAfterDate")
            return f"{address}, which Atlas will delete at {until}" if until else address
    atlas.run("accessLists", "create", address, "--type", kind, "--comment", comment)
    return address


def disallow(atlas: Atlas, address: str, *comments: str) -> None:
    """Take an address from the IP access list if its comment is one of these."""
    for entry in atlas.list("accessLists", "list", "--limit", "500"):
        ours = entry.get("comment") in comments
        if ours and address in (entry.get("ipAddress"), entry.get("cidrBlock")):
            atlas.run("accessLists", "delete", address, "--force")
