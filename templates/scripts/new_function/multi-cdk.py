def infrastructure(function: Function) -> dict[Path, str]:
    """Return infra/stack.py with the function's route."""
    if not function.route:
        return {}
    match assigned(STACK, "FUNCTIONS"):
        case ast.List([ast.Tuple([*_, ast.Dict() as routes]), *_]):
            item = f'"{function.prefix}": "{function.route}"'
            return {STACK: tidy(with_last(STACK, routes, item))}
    sys.exit(f"{shown(STACK)} has no routes to add to: {BY_HAND}")
