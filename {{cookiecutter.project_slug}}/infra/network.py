{%- set network = "nat" if cookiecutter.network == "public" else cookiecutter.network -%}
{% include 'infra/network/' ~ network ~ '-' ~ cookiecutter.atlas_setup ~ '.py' -%}
{% if cookiecutter.auth == "password" and network != "nat" -%}
{% include 'infra/network/secrets_manager.py' -%}
{% endif -%}
