{%- from 'service.j2' import atlas_types with context -%}
{%- set who = {"cli": cookiecutter.auth ~ "-cli", "stack": "stack"}[cookiecutter.atlas_setup] -%}
{% include 'scripts/access.py/' ~ who ~ '.py' -%}
