{%- from 'service.j2' import reserved_concurrency with context -%}
{%- set stack = cookiecutter.atlas_setup == "stack" -%}
{% include 'infra/settings/' ~ ("public" if cookiecutter.network == "public" else "vpc") ~ '.py' -%}
