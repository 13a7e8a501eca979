def describe() -> Any:
    """Return the routers' description of themselves."""
    from {{ cookiecutter.__package }}.api import make_api
    from {{ cookiecutter.__package }}.app import ROUTERS

    api = make_api(*ROUTERS.values())
    return json.loads(api.get_openapi_json_schema(title=TITLE, version="0.1.0"))
