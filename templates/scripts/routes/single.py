"""What answers what: the service's one function and its routes, for `make local`."""

SERVICE = "{{ cookiecutter.project_slug }}"
PACKAGE = "{{ cookiecutter.__package }}"


def handlers() -> dict[str, str]:
    """Return the function's name and its handler."""
    return {SERVICE: f"{PACKAGE}.app.handler"}


def routes() -> dict[str, str]:
    """Return the API's routes and the function that answers them."""
    return {"GET /": SERVICE}
