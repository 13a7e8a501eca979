# What is added, for a function of the name new_function.
ADDED = PROJECT / "scripts/new_function.yaml"
SHARE = re.compile(r"(  ReservedConcurrency:\n    Type: Number\n    Default: )(\d+)")


def infrastructure(function: Function) -> dict[Path, str]:
    """Return template.yaml with the function, its role, log group and alarms."""
    added = ADDED.read_text("utf-8")
    if function.route:
        method, path = function.route.split()
        added = added.replace("Method: GET", f"Method: {method}")
        added = added.replace("Path: /new-function", f"Path: {path}")
    else:
        added = re.sub(r"      Events:\n( {8}.*\n)+", "", added)
    added = added.replace("NewFunction", function.prefix)
    added = added.replace("new-function", function.dashed).replace("new_function", function.name)
    _, resources, outputs = re.split(r"^\w+:\n", added, flags=re.MULTILINE)

    text = lower_share(TEMPLATE.read_text("utf-8"))
    text = after_last(text, r"^  \w+ConnectionsAlarm:\n( {4}.*\n)+", f"\n{resources.rstrip()}\n")
    return {TEMPLATE: after_last(text, r"^  \w+ExecutionRoleArn:\n( {4}.*\n)+", outputs)}
