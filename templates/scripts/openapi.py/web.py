def describe() -> dict[str, Any]:
    """Return the application's description of itself."""
    from {{ cookiecutter.__package }}.app import app

    return app.openapi()
