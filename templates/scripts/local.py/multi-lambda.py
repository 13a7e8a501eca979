def routes() -> dict[str, str]:
    """Return the modules that handle the API's routes, and direct invocations."""
    functions = importlib.import_module(f"{PACKAGE}.functions")
    modules = [path.stem for path in (SOURCE / PACKAGE / "functions").glob("[!_]*.py")]
    direct = {INVOKE.format(f"{SERVICE}-{it.replace('_', '-')}"): it for it in modules}
    table = functions.ROUTES | direct
    return {route: f"{functions.__name__}.{module}" for route, module in table.items()}
