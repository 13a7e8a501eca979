def routes() -> dict[str, str]:
    """Return the API's routes and the functions that answer them."""
    return {"GET /": SERVICE}


def functions() -> dict[str, str]:
    """Return the functions and the modules of their handlers."""
    return {SERVICE: f"{PACKAGE}.app"}
