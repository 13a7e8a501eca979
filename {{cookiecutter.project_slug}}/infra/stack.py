{%- from 'service.j2' import secret_endpoint, vpc with context -%}
{%- set public = {"cli": "public", "stack": "public-stack"}[cookiecutter.atlas_setup] -%}
{%- set variant = "private-password" if secret_endpoint else "vpc" if vpc else public -%}
"""The service's stack."""

from typing import Any

from aws_cdk import Stack
from constructs import Construct

{% if variant == "public-stack" -%}
from infra.access_list import OpenAccessList
{% endif -%}
from infra.database import Database
{%- if vpc %}
from infra.network import Network
{%- endif %}
from infra.service import add_service
from infra.settings import Settings


{% include 'infra/stack.py/' ~ variant ~ '.py' -%}
