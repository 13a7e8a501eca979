{%- set network = "nat" if cookiecutter.network == "public" else cookiecutter.network -%}
{% include 'infra/network/' ~ network ~ '.py' -%}
