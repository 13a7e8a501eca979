{%- from 'service.j2' import framework with context -%}
{% include 'src/api.py/' ~ framework ~ '.py' ignore missing -%}
