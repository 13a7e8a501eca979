def routes() -> dict[str, str]:
    """Return the module that handles all that the API passes on, and a direct invocation."""
    return dict.fromkeys(["ANY /", "ANY /{proxy+}", INVOKE.format(SERVICE)], f"{PACKAGE}.app")
