{%- set cdk = cookiecutter.iac == "cdk" -%}
"""Refuses the example values of README.md before anything is built. `make deploy` runs it.

    python scripts/preflight.py [PARAMETER ...]

It checks nothing else: the deploy checks the rest.
"""

{% if cdk -%}
import json
{% endif -%}
import re
import sys
{%- if cdk %}
from pathlib import Path
{%- endif %}

EXAMPLE = re.compile(r"\.ab1cd\.mongodb\.net|0123456789abcdef")


def main(given: list[str]) -> None:
    """End the program with a sentence if an example is among the parameters."""
    for parameter in given:
        if EXAMPLE.search(parameter):
            sys.exit(f"{parameter} is an example of README.md: give your own value.")

{% if cdk %}
def settings() -> list[str]:
    """Return the settings of all environments in cdk.json."""
    text = (Path(__file__).parent.parent / "cdk.json").read_text("utf-8")
    environments = [it for it in json.loads(text)["context"].values() if isinstance(it, dict)]
    return [f"{name}={value}" for it in environments for name, value in it.items()]

{% endif %}
if __name__ == "__main__":
    main(sys.argv[1:]{{ " + settings()" if cdk }})
