{%- from 'service.j2' import framework with context -%}
{% include 'src/functions/create_item.py/' ~ framework ~ '.py' ignore missing -%}
