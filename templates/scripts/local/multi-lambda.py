def routes() -> dict[str, str]:
    """Return the API's routes and the functions that answer them."""
    table = importlib.import_module(f"{PACKAGE}.functions").ROUTES
    return {route: function_name(module) for route, module in table.items()}


def functions() -> dict[str, str]:
    """Return the functions and the modules of their handlers."""
    modules = [path.stem for path in (SOURCE / PACKAGE / "functions").glob("[!_]*.py")]
    return {function_name(module): f"{PACKAGE}.functions.{module}" for module in modules}


def function_name(module: str) -> str:
    """Return the name that a function is deployed under."""
    return f"{SERVICE}-{module.replace('_', '-')}"
