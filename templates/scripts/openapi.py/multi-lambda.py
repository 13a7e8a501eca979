def describe() -> Any:
    """Return the description of all functions' routers in one."""
    from {{ cookiecutter.__package }} import functions
    from {{ cookiecutter.__package }}.api import make_api

    names = [f"{functions.__name__}.{name}" for name in functions.ROUTES.values()]
    return described(make_api(*(importlib.import_module(name).router for name in names)))


{% include 'scripts/openapi.py/powertools.py' -%}
