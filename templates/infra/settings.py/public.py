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
{%- if cookiecutter.api_auth == "jwt" %}

ORIGIN = "(https://[a-z0-9.-]+(:[0-9]+)?|http://localhost(:[0-9]+)?)"
{%- endif %}


def setting(pattern: str, must_be: str, default: str | None = None) -> Any:
    """Return a field. Without a default it must be given."""
    rule = {"pattern": pattern, "must_be": must_be, "optional": default is not None}
    return field(default=default or "", metadata=rule)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of an environment. In cdk.json, cluster_host is spelled ClusterHost."""

    stack_name: str = setting("[a-zA-Z][a-zA-Z0-9-]{0,127}", "the name of a stack, such as orders")
    cluster_host: str = setting(
        r"[a-z0-9-]+(\.[a-z0-9-]+){2,}", "a bare host name such as cluster0.ab1cd.mongodb.net"
    )
{%- if cookiecutter.atlas_setup == "stack" %}
    atlas_project_id: str = setting("[0-9a-f]{24}", "24 hexadecimal digits: atlas projects list")
    atlas_cluster_name: str = setting(
        "[a-zA-Z0-9]([a-zA-Z0-9-]{0,62}[a-zA-Z0-9])?", "the name of a cluster, such as Cluster0"
    )
    atlas_profile: str = setting("[a-zA-Z0-9_-]+", "of letters, digits, - and _", "default")
{%- endif %}
{% if cookiecutter.api_auth == "jwt" %}{% include 'infra/settings.py/jwt.py' %}{% endif %}    reserved_concurrency: str = setting(r"\d+", "a number, or 0 for none", "{{ reserved_concurrency }}")
    alarm_topic_arn: str = setting("arn:.+:sns:.+", "the ARN of an SNS topic", "")


def read_settings(node: Node) -> Settings:
    """Return the settings of the environment, or end the program with a sentence for each fault."""
    # What the CDK itself keeps in the context has other characters in its names.
    context = {name: it for name, it in node.get_all_context().items() if name.isidentifier()}
    chosen = str(context.pop("environment", "default"))
    environments = {name: it for name, it in context.items() if isinstance(it, dict)}
    if chosen not in environments:
        there_are = ", ".join(environments) or "none"
        sys.exit(f"cdk.json has no environment {chosen}: there are {there_are}.")
    single = {name: it for name, it in context.items() if name not in environments}
    given = {name: it for name, it in {**environments[chosen], **single}.items() if it != ""}
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
    if faults:
        sys.exit("\n".join(faults))
    return Settings(**{it.name: str(given[name]) for name, it in known.items() if name in given})
