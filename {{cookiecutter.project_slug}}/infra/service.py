{%- from 'service.j2' import alias, functions with context -%}
{%- set variant = {"single": "one", "multi": "one", "web": "one", "multi-lambda": "each"}[cookiecutter.layout] -%}
{% include 'infra/service.py/' ~ variant ~ '.py' -%}
