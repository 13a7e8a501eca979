APP = SOURCE / "app.py"


def taken_routes() -> list[str]:
    """Return what app.py routes to a function."""
    return keys(assigned(APP, "FUNCTIONS"))


def code(function: Function) -> dict[Path, str]:
    """Return app.py with the function in its table."""
    item = f'"{function.key}": {function.name}.handler'
    source = with_last(APP, assigned(APP, "FUNCTIONS"), item)
    imports = [node for node in ast.parse(source).body if isinstance(node, ast.ImportFrom)]
    lines = source.splitlines(keepends=True)
    lines.insert(imports[-1].end_lineno or 0, f"from .functions import {function.name}\n")
    return {APP: tidy("".join(lines))}
