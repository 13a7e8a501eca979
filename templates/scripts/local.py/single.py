def routes() -> dict[str, str]:
    """Return the modules that handle the API's routes, and a direct invocation."""
    return dict.fromkeys(["GET /", INVOKE.format(SERVICE)], f"{PACKAGE}.app")
