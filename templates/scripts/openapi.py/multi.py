def describe() -> Any:
    """Return the routers' description of themselves."""
    from {{ cookiecutter.__package }}.api import make_api
    from {{ cookiecutter.__package }}.app import ROUTERS

    api = make_api(*ROUTERS.values())
    title, version = {{ cookiecutter.__project_name_literal }}, "0.1.0"
    return json.loads(api.get_openapi_json_schema(title=title, version=version))
