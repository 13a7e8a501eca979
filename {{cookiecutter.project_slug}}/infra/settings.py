{%- from 'service.j2' import reserved_concurrency, secret_endpoint, vpc with context -%}
{% include 'infra/settings.py/' ~ {true: "vpc", false: "public"}[vpc] ~ '.py' -%}
