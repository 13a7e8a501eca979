"""What differs between environments.

The settings of an environment are in cdk.json, under its name: `default`, or what
`--context environment=NAME` says. `--context ClusterHost=…` overrides a single one. With `example`
a stack is tested and never deployed.
"""

import re
import sys
from dataclasses import dataclass, field, fields
from typing import Any

from constructs import Node
{% if cookiecutter.api_auth == "jwt" %}
ORIGIN = "(https://[a-z0-9.-]+(:[0-9]+)?|http://localhost(:[0-9]+)?)"
{%- endif %}

{%- include 'infra/settings.py/options.py' %}


def setting(pattern: str, must_be: str, default: str | None = None) -> Any:
    """Return a field. Without a default it must be given."""
    rule = {"pattern": pattern, "must_be": must_be, "optional": default is not None}
    return field(default=default or "", metadata=rule)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of an environment. In cdk.json, cluster_host is spelled ClusterHost."""

{% include 'infra/settings.py/fields.py' %}
{% include 'infra/settings.py/last_fields.py' %}


{% include 'infra/settings.py/given.py' %}

def read_settings(node: Node) -> Settings:
    """Return the settings of the environment, or end the program with a sentence for each fault."""
    given = given_settings(node)
    known = {it.name.title().replace("_", ""): it for it in fields(Settings)}
    names = ", ".join(known)
    faults = [f"{name} is no setting: there are {names}." for name in given if name not in known]
    for name, it in known.items():
        rule, value = it.metadata, given.get(name)
        if value is None:
            if not rule["optional"]:
                faults.append(f"{name} is missing. It must be {rule['must_be']}.")
        elif type(value) not in (str, int) or not re.fullmatch(rule["pattern"], str(value)):
            faults.append(f"{name} must be {rule['must_be']}.")
{% if cookiecutter.auth == "password" and cookiecutter.atlas_setup == "cli" %}{% include 'infra/settings.py/rotation.py' %}{% endif %}    if faults:
        sys.exit("\n".join(faults))
    return Settings(**{it.name: str(given[name]) for name, it in known.items() if name in given})
