{%- from 'service.j2' import atlas_types with context -%}
{%- set who = "stack" if cookiecutter.atlas_setup == "stack" else cookiecutter.auth ~ "-cli" -%}
{% include 'scripts/deploy/access/' ~ who ~ '.py' -%}
