{%- from 'parameters.j2' import parameters with context -%}
{%- set needed = ["ClusterHost"] + parameters | selectattr("default", "none") | map(attribute="name") | list -%}
"""Refuses a deploy that can't work, before anything is built. `make deploy` runs it.

    python scripts/preflight.py [NAME=VALUE ...]

It needs the AWS CLI.{% if cookiecutter.iac == "sam" %} Without parameters, those of samconfig.toml count.{% endif %}
"""

import re
import shutil
import subprocess
import sys
{%- if cookiecutter.iac == "sam" %}
import tomllib
from pathlib import Path
{%- endif %}

STACK = "{{ cookiecutter.project_slug }}"
REGION = "{{ cookiecutter.aws_region }}"
# The stack's parameters that have no default.
NEEDED = [
{%- for name in needed %}
    "{{ name }}",
{%- endfor %}
]
# What the examples in README.md have in their values.
EXAMPLE = re.compile(r"\.ab1cd\.mongodb\.net$|0123456789abcdef")


def aws(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the AWS CLI, within seconds."""
    program = shutil.which("aws")
    if program is None:
        sys.exit("The AWS CLI is needed to deploy: https://aws.amazon.com/cli/")
    limits = ["--cli-connect-timeout", "5", "--cli-read-timeout", "20", "--region", REGION]
    command = [program, *arguments, *limits, "--output", "text"]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603


def check_parameters(given: list[str]) -> None:
    """Refuse those of the examples, and a first deploy without those that are needed."""
    values = dict(it.partition("=")[::2] for it in given)
    for name, value in values.items():
        if EXAMPLE.search(value):
            sys.exit(f"{name}={value} is the example of README.md: give your own.")
    query = ["--stack-name", STACK, "--query", "Stacks[0].StackStatus"]
    status = aws("cloudformation", "describe-stacks", *query)
    deployed = status.returncode == 0 and status.stdout.strip() != "REVIEW_IN_PROGRESS"
    if not deployed and (missing := [name for name in NEEDED if not values.get(name)]):
        example = " ".join(f"{name}=…" for name in missing)
        sys.exit(f'The first deploy needs parameters: make deploy parameters="{example}"')
{%- if cookiecutter.iac == "sam" %}


def saved_parameters() -> list[str]:
    """Return the parameters in samconfig.toml."""
    config = tomllib.loads(Path("samconfig.toml").read_text("utf-8"))
    saved = config["default"]["deploy"]["parameters"].get("parameter_overrides", "")
    return [it.replace('"', "") for it in (saved.split() if isinstance(saved, str) else saved)]
{%- endif %}


def main(given: list[str]) -> None:
    """End the program with a sentence if the deploy can't work."""
    identity = aws("sts", "get-caller-identity")
    if identity.returncode:
        reason = (identity.stderr.strip().splitlines() or [""])[-1]
        sys.exit(f"AWS takes no credentials from here, sign in with the AWS CLI: {reason}")
    check_parameters(given{{ " or saved_parameters()" if cookiecutter.iac == "sam" }})


if __name__ == "__main__":
    main(sys.argv[1:])
