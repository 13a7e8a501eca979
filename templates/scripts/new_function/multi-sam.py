EVENT = Template("""\
        $prefix:
          Type: HttpApi
          Properties:
            ApiId: !Ref Api
            Method: $method
            Path: $path
""")


def infrastructure(function: Function) -> dict[Path, str]:
    """Return template.yaml with the function's route."""
    if not function.route:
        return {}
    method, path = function.route.split()
    event = EVENT.substitute(prefix=function.prefix, method=method, path=path)
    pattern = r"^ {8}\w+:\n {10}Type: HttpApi\n( {10,}.*\n)+"
    return {TEMPLATE: after_last(TEMPLATE.read_text("utf-8"), pattern, event)}
