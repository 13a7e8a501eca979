{%- from 'python.j2' import literal -%}
{%- from 'service.j2' import framework with context -%}
"""Writes openapi.json, which says what the API takes and returns, from the functions' types."""

{% if cookiecutter.layout == "multi-lambda" -%}
import importlib
{% endif -%}
import json
import os
import sys
from pathlib import Path
from typing import Any
{% if framework == "powertools" and cookiecutter.api_auth == "jwt" %}
from aws_lambda_powertools.event_handler.openapi.models import HTTPBearer
{% endif %}
PROJECT = Path(__file__).resolve().parent.parent
FILE = PROJECT / "openapi.json"
{%- if framework == "powertools" %}
TITLE = {{ literal(cookiecutter.project_name) }}
{%- endif %}


{% include 'scripts/openapi.py/' ~ cookiecutter.layout ~ '.py' ignore missing %}

def text() -> str:
    """Return what the file should have."""
    return json.dumps(describe(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    os.environ["POWERTOOLS_LOG_LEVEL"] = "CRITICAL"  # it describes the API without a database
    sys.path.insert(0, str(PROJECT / "src"))
    FILE.write_text(text(), "utf-8", newline="\n")
