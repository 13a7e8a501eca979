SETTINGS = PROJECT / "infra/settings.py"
SHARE = re.compile(r'(reserved_concurrency: .*")(\d+)')


def infrastructure(function: Function) -> dict[Path, str]:
    """Return infra/ with the function in its table."""
    routes = [function.route] if function.route else []
    item = f'"{function.name}": {routes}'
    return {
        SERVICE: tidy(with_last(SERVICE, assigned(SERVICE, "FUNCTIONS"), item)),
        SETTINGS: lower_share(SETTINGS.read_text("utf-8")),
    }
