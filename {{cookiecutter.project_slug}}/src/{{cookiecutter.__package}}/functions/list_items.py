{%- from 'service.j2' import framework with context -%}
{% include 'src/functions/list_items.py/' ~ framework ~ '.py' ignore missing -%}
