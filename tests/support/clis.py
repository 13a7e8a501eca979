"""Stand-ins for the `aws` and `atlas` programs: what scripts/setup_atlas.py may say, and do.

    python clis.py aws|atlas ARGUMENT…

The state and the record of calls are JSON files in the folder CLIS. Options are those of the real
programs, transcribed from https://www.mongodb.com/docs/atlas/cli/current/command/atlas/,
https://docs.aws.amazon.com/cli/latest/reference/ and https://cli.github.com/manual/; others are
refused, as the real ones refuse them.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

COMMON = {"--output", "--projectId", "--profile"}

# Number of arguments, options that a command needs, and those that it takes besides.
ATLAS: dict[str, tuple[int, set[str], set[str]]] = {
    "clusters describe": (1, set(), {"--autoScalingMode"}),
    "dbusers list": (0, set(), {"--limit", "--page"}),
    "dbusers create": (
        0,  # or built-in roles
        {"--username"},
        {"--awsIAMType", "--desc", "--password", "--role", "--scope"},
    ),
    "dbusers update": (1, set(), {"--authDB", "--desc", "--password", "--role", "--scope"}),
    "dbusers delete": (1, set(), {"--authDB", "--force"}),
    "accessLists delete": (1, set(), {"--force"}),
    "accessLists list": (0, set(), {"--limit", "--page"}),
    "accessLists create": (1, set(), {"--comment", "--deleteAfter", "--type"}),
    "privateEndpoints aws create": (0, {"--region"}, set()),
    "privateEndpoints aws list": (0, set(), set()),
    "projects list": (0, set(), {"--limit", "--orgId", "--page"}),
    "privateEndpoints aws interfaces create": (1, {"--privateEndpointId"}, set()),
    "networking containers list": (0, set(), {"--limit", "--page", "--provider"}),
    "networking peering list": (0, set(), {"--limit", "--page", "--provider"}),
    "networking peering create aws": (
        0,
        {"--accountId", "--region", "--routeTableCidrBlock", "--vpcId"},
        {"--atlasCidrBlock"},
    ),
}
AWS: dict[str, tuple[int, set[str], set[str]]] = {
    "cloudformation describe-stacks": (0, set(), {"--stack-name"}),
    "secretsmanager get-secret-value": (0, {"--secret-id"}, {"--version-stage"}),
    "ec2 accept-vpc-peering-connection": (0, {"--vpc-peering-connection-id"}, {"--dry-run"}),
}
# What documents may say.
GH: dict[str, tuple[int, set[str], set[str]]] = {
    "variable set": (1, set(), {"--body", "--env", "--org", "--repo"}),
}
AWS_COMMON = {"--output", "--query", "--region", "--profile"}


def fail(complaint: str) -> NoReturn:
    sys.stderr.write(f"{complaint}\n")
    sys.exit(1)


def parse(program: str, words: list[str]) -> tuple[str, list[str], dict[str, str]]:
    """Split a command line into command, arguments and options, or refuse it."""
    commands, common = {"atlas": (ATLAS, COMMON), "aws": (AWS, AWS_COMMON), "gh": (GH, set())}[
        program
    ]
    line = " ".join(words)
    command = max((it for it in commands if f"{line} ".startswith(f"{it} ")), key=len, default="")
    if not command:
        fail(f'Error: unknown command "{line}"')
    count, needed, taken = commands[command]
    arguments, options = [], {}
    rest = iter(words[len(command.split()) :])
    for word in rest:
        if not word.startswith("--"):
            arguments.append(word)
        elif word not in common | needed | taken:
            fail(f"Error: unknown flag: {word}")
        else:
            options[word] = next(rest, "")
    if missing := needed - options.keys():
        fail(f"Error: required flag(s) {sorted(missing)} not set")
    if len(arguments) != count:
        fail(f"Error: {command} takes {count} arguments")
    return command, arguments, options


def rights(options: dict[str, str]) -> dict[str, Any]:
    """The roles and scopes of a database user."""
    role, _, database = options["--role"].partition("@")
    return {
        "roles": [{"roleName": role, "databaseName": database}],
        "scopes": [{"name": options["--scope"], "type": "CLUSTER"}],
    }


def atlas(state: dict[str, Any], command: str, arguments: list[str], options: Any) -> Any:
    """Answer a command of the Atlas CLI, and change the state."""
    if not state["signed_in"]:
        fail("Error: this action requires authentication\n\nTo log in, run: atlas auth login")
    match command:
        case "clusters describe":
            if arguments[0] != state["cluster"]["name"]:
                fail(
                    "Error: https://cloud.mongodb.com/api/atlas GET: HTTP 404 Not Found (Error"
                    f' code: "CLUSTER_NOT_FOUND") Detail: No cluster named {arguments[0]} exists.'
                )
            return state["cluster"]
        case "dbusers list":
            return {"results": state["users"], "totalCount": len(state["users"])}
        case "dbusers create":
            user = {"username": options["--username"], **rights(options)}
            user["awsIAMType"] = options.get("--awsIAMType", "NONE")
            user["databaseName"] = "admin" if user["awsIAMType"] == "NONE" else "$external"
            if user["awsIAMType"] == "NONE":
                # The real one prompts on a terminal, else reads a line.
                user["password"] = options.get("--password") or sys.stdin.readline().strip()
            state["users"].append(user)
        case "dbusers update":
            key = (options.get("--authDB", "admin"), arguments[0])
            found = [it for it in state["users"] if (it["databaseName"], it["username"]) == key]
            if not found:
                fail("Error: no such user in that database")
            found[0].update(rights(options))
        case "accessLists list":
            return {"results": state["access_list"]}
        case "accessLists create":
            state["access_list"].append({options["--type"]: arguments[0]})
        case "privateEndpoints aws list":
            return state["services"]
        case "privateEndpoints aws interfaces create":
            [service] = [it for it in state["services"] if it["id"] == arguments[0]]
            service.setdefault("interfaceEndpoints", []).append(options["--privateEndpointId"])
        case "networking containers list":
            return state["containers"]
        case "networking peering list":
            return state["peerings"] or None  # Go's empty list
        case "networking peering create aws":
            peering = {"vpcId": options["--vpcId"], "statusName": "PENDING_ACCEPTANCE"}
            state["peerings"].append(peering | {"connectionId": "pcx-0123456789abcdef0"})
    return None


def aws(state: dict[str, Any], command: str, options: dict[str, str]) -> Any:
    """Answer a command of the AWS CLI, and change the state."""
    match command:
        case "cloudformation describe-stacks":
            if options["--stack-name"] not in state["stacks"]:
                fail(
                    "\nAn error occurred (ValidationError) when calling the DescribeStacks "
                    f"operation: Stack with id {options['--stack-name']} does not exist"
                )
            return {"Stacks": [state["stacks"][options["--stack-name"]]]}
        case "secretsmanager get-secret-value":
            return state["secrets"][options["--secret-id"]]
        case _:
            connection = options["--vpc-peering-connection-id"]
            [peering] = [it for it in state["peerings"] if it["connectionId"] == connection]
            peering["statusName"] = "AVAILABLE"
            return {}


def main() -> None:
    program, *words = sys.argv[1:]
    folder = Path(os.environ["CLIS"])
    with (folder / "calls.jsonl").open("a") as calls:
        calls.write(json.dumps([program, *words]) + "\n")
    state = json.loads((folder / "state.json").read_text("utf-8"))
    command, arguments, options = parse(program, words)
    if program == "aws":
        answer = aws(state, command, options)
    else:
        answer = atlas(state, command, arguments, options)
    (folder / "state.json").write_text(json.dumps(state), "utf-8")
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
