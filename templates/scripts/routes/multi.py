"""What answers what: the service's one function and its routes, for `make local`."""

import ast
from pathlib import Path

SERVICE = "{{ cookiecutter.project_slug }}"
PACKAGE = "{{ cookiecutter.__package }}"
SOURCE = Path(__file__).resolve().parent.parent / "src"


def handlers() -> dict[str, str]:
    """Return the function's name and its handler."""
    return {SERVICE: f"{PACKAGE}.app.handler"}


def routes() -> dict[str, str]:
    """Return the API's routes and the function that answers them, as app.py has them."""
    source = (SOURCE / PACKAGE / "app.py").read_text("utf-8")
    for node in ast.parse(source).body:  # importing it would connect
        match node:
            case ast.Assign([ast.Name("FUNCTIONS")], ast.Dict(keys)):
                return {ast.literal_eval(key): SERVICE for key in keys if key}
    raise LookupError("app.py has no FUNCTIONS")
