{%- from 'service.j2' import secret_endpoint with context -%}
{% include 'infra/network.py/' ~ cookiecutter.network ~ '-' ~ cookiecutter.atlas_setup ~ '.py' ignore missing -%}
{% if secret_endpoint -%}
{% include 'infra/network.py/secrets_manager.py' -%}
{% endif -%}
