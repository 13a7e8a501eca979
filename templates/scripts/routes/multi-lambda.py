"""What answers what: the service's functions and their routes, for `make local`."""

import runpy
from pathlib import Path

SERVICE = "{{ cookiecutter.project_slug }}"
PACKAGE = "{{ cookiecutter.__package }}"
FUNCTIONS = Path(__file__).resolve().parent.parent / "src" / PACKAGE / "functions"


def handlers() -> dict[str, str]:
    """Return the functions' names and their handlers."""
    modules = [path.stem for path in FUNCTIONS.glob("[!_]*.py")]
    return {function_name(module): f"{PACKAGE}.functions.{module}.handler" for module in modules}


def routes() -> dict[str, str]:
    """Return the API's routes and the functions that answer them, as functions/__init__.py does."""
    found = runpy.run_path(str(FUNCTIONS / "__init__.py"))["ROUTES"]
    return {route: function_name(module) for route, module in found.items()}


def function_name(module: str) -> str:
    """Return the name that a function is deployed under."""
    return f"{SERVICE}-{module.replace('_', '-')}"
