def infrastructure(function: Function) -> dict[Path, str]:
    """Return infra/service.py with the function's route."""
    if not function.route:
        return {}
    return {SERVICE: tidy(with_last(SERVICE, assigned(SERVICE, "ROUTES"), f'"{function.route}"'))}
