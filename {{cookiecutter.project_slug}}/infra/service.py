{%- from 'service.j2' import functions with context -%}
{% include 'infra/service/' ~ ("each" if cookiecutter.layout == "multi-lambda" else "one") ~ '.py' -%}
