TABLE = SOURCE / "functions/__init__.py"


def taken_routes() -> list[str]:
    """Return the routes that have a function."""
    return keys(assigned(TABLE, "ROUTES"))


def code(function: Function) -> dict[Path, str]:
    """Return the table of routes with the function's."""
    if not function.route:
        return {}
    item = f'"{function.route}": "{function.name}"'
    return {TABLE: tidy(with_last(TABLE, assigned(TABLE, "ROUTES"), item))}
