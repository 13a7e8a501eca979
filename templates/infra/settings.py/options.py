{%- import 'options.j2' as options %}
CONNECTION_OPTIONS = (
{%- for line in options.pattern %}
    "{{ line }}"
{%- endfor %}
){#- -#}
