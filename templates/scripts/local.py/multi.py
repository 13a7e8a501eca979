def routes() -> dict[str, str]:
    """Return the modules that handle the API's routes, and a direct invocation."""
    app = importlib.import_module(f"{PACKAGE}.app")
    return dict.fromkeys([*app.ROUTERS, INVOKE.format(SERVICE)], app.__name__)
