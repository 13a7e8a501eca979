{%- from 'service.j2' import reserved_concurrency, secret_endpoint, vpc with context -%}
{% include 'infra/settings/' ~ {true: "vpc", false: "public"}[vpc] ~ '.py' -%}
