PARAMETERS = PROJECT / "infra/parameters.py"
SHARE = re.compile(r'("ReservedConcurrency",\s+type="Number",\s+default=)(\d+)')


def infrastructure(function: Function) -> dict[Path, str]:
    """Return infra/ with the function in its table."""
    handler = f"{SOURCE.name}.functions.{function.name}.handler"
    routes = {function.prefix: function.route} if function.route else {}
    item = str((function.prefix, f"-{function.dashed}", handler, routes))
    return {
        STACK: tidy(with_last(STACK, assigned(STACK, "FUNCTIONS"), item)),
        PARAMETERS: lower_share(PARAMETERS.read_text("utf-8")),
    }
