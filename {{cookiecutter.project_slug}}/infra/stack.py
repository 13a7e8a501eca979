{%- set secret = cookiecutter.auth == "password" and cookiecutter.network in ["private-endpoint", "peering"] -%}
{%- set open_list = cookiecutter.network == "public" and cookiecutter.atlas_setup == "stack" -%}
{%- set variant = "public-stack" if open_list else "public" if cookiecutter.network == "public" else
                  "private-password" if secret else "vpc" -%}
"""The service's stack."""

from typing import Any

from aws_cdk import Stack
from constructs import Construct

{% if open_list -%}
from infra.access_list import OpenAccessList
{% endif -%}
from infra.database import Database
{%- if cookiecutter.network != "public" %}
from infra.network import Network
{%- endif %}
from infra.service import add_service
from infra.settings import Settings


{% include 'infra/stack/' ~ variant ~ '.py' -%}
