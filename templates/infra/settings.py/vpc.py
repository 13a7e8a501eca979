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

ID = "[0-9a-f]{8,17}"
OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
{%- if cookiecutter.network in ["peering", "nat"] %}
IPV4 = OCTET + r"(\." + OCTET + "){3}"
{%- endif %}
ZONE = "[a-z]{2}(-[a-z]+)+-[0-9][a-z]"
{%- if cookiecutter.api_auth == "jwt" %}
ORIGIN = "(https://[a-z0-9.-]+(:[0-9]+)?|http://localhost(:[0-9]+)?)"
{%- endif %}

{%- include 'infra/settings.py/options.py' %}


def setting(pattern: str, must_be: str, default: str | None = None, *, needs: str = "") -> Any:
    """Return a field. Without a default it must be given: always, or if what it needs is."""
    rule = {"pattern": pattern, "must_be": must_be, "needs": needs, "optional": default is not None}
    return field(default=default or "", metadata=rule)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of an environment. In cdk.json, cluster_host is spelled ClusterHost."""

{% include 'infra/settings.py/fields.py' -%}
{%- if cookiecutter.network == "private-endpoint" and cookiecutter.atlas_setup == "cli" %}
    endpoint_service_name: str = setting(
        r"com\.amazonaws\.vpce\.[a-z0-9-]+\.vpce-svc-[0-9a-f]+",
        "a service name such as com.amazonaws.vpce.us-east-1.vpce-svc-0123456789abcdef0",
    )
{%- endif %}
{%- if cookiecutter.network == "peering" %}
    atlas_cidr: str = setting(
        rf"(10\.{OCTET}|192\.168)\.{OCTET}\.{OCTET}/2[1-4]",
        "a range of 10.0.0.0/8 or 192.168.0.0/16, from /21 to /24, which can't overlap VpcCidr",
        "192.168.248.0/21",
    )
{%- if cookiecutter.atlas_setup == "stack" %}
    atlas_container_id: str = setting(
        "[0-9a-f]{24}", "24 hexadecimal digits: atlas networking containers list"
    )
{%- elif cookiecutter.atlas_setup == "cli" %}
    peering_connection_id: str = setting(f"pcx-{ID}", "the ID of a peering connection, pcx-…", "")
{%- endif %}
    vpc_cidr: str = setting(
        r"172\.(1[6-9]|2[0-9]|3[01])\.0\.0/16",
        "one of 172.16.0.0/16 to 172.31.0.0/16, which no AtlasCidr can overlap",
        "172.16.0.0/16",
    )
{%- elif cookiecutter.network in ["private-endpoint", "nat"] %}
    vpc_cidr: str = setting(
        rf"(10\.{OCTET}|172\.(1[6-9]|2[0-9]|3[01])|192\.168)\.0\.0/16",
        "a private range with a /16 mask, such as 10.0.0.0/16",
        "10.0.0.0/16",
    )
{%- endif %}
    availability_zone_a: str = setting(ZONE, "an Availability Zone, such as us-east-1a", "")
    availability_zone_b: str = setting(ZONE, "another, like us-east-1b", needs="AvailabilityZoneA")
    vpc_id: str = setting(f"vpc-{ID}", "the ID of a VPC, such as vpc-0123456789abcdef0", "")
    subnet_id_a: str = setting(f"subnet-{ID}", "the ID of a subnet of VpcId", needs="VpcId")
    subnet_id_b: str = setting(f"subnet-{ID}", "the ID of a subnet of VpcId", needs="VpcId")
{%- if cookiecutter.network == "nat" %}
    nat_address_a: str = setting(IPV4, "the address of SubnetIdA's NAT gateway", needs="VpcId")
    nat_address_b: str = setting(IPV4, "the address of SubnetIdB's NAT gateway", "", needs="VpcId")
{%- elif cookiecutter.network == "peering" %}
    route_table_id_a: str = setting(f"rtb-{ID}", "the ID of SubnetIdA's route table", needs="VpcId")
    route_table_id_b: str = setting(
        f"rtb-{ID}", "the ID of SubnetIdB's route table, if it is another", "", needs="VpcId"
    )
    existing_vpc_cidr: str = setting(
        rf"{IPV4}/(1[6-9]|2[0-8])", "the range of VpcId, such as 10.20.0.0/16", needs="VpcId"
    )
{%- endif %}
{%- if secret_endpoint %}
    secrets_manager_security_group_id: str = setting(
        f"sg-{ID}", "the ID of VpcId's security group for Secrets Manager", needs="VpcId"
    )
{%- endif %}
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
            if not rule["optional"] and rule["needs"] in ("", *given):
                faults.append(f"{name} is missing. It must be {rule['must_be']}.")
        elif type(value) not in (str, int) or not re.fullmatch(rule["pattern"], str(value)):
            faults.append(f"{name} must be {rule['must_be']}.")
        elif rule["needs"] not in ("", *given):
            faults.append(f"{name} is given but {rule['needs']} is not.")
    for first, second in (("SubnetIdA", "SubnetIdB"), ("AvailabilityZoneA", "AvailabilityZoneB")):
        if first in given and given[first] == given.get(second):
            faults.append(f"{first} and {second} must differ.")
{% if cookiecutter.auth == "password" and cookiecutter.atlas_setup == "cli" %}{% include 'infra/settings.py/rotation.py' %}{% endif %}    if faults:
        sys.exit("\n".join(faults))
    return Settings(**{it.name: str(given[name]) for name, it in known.items() if name in given})
