def describe() -> Any:
    """Return the routers' description of themselves."""
    from {{ cookiecutter.__package }}.api import make_api
    from {{ cookiecutter.__package }}.app import ROUTERS

    return described(make_api(*ROUTERS.values()))


{% include 'scripts/openapi.py/powertools.py' -%}
