{%- import 'options.j2' as options -%}
{% if cookiecutter.api_auth == "jwt" %}{% include 'infra/settings.py/jwt.py' %}{% endif %}{% if cookiecutter.auth == "password" %}{% include 'infra/settings.py/rotation_fields.py' %}{% endif %}    reserved_concurrency: str = setting(r"\d+", "a number, or 0 for none", "{{ reserved_concurrency }}")
    connection_options: str = setting(
        CONNECTION_OPTIONS,
        "of {{ options.names[:4] | join(", ") }}, "
        "{{ options.names[4:] | join(", ") }}, joined by &, "
        "such as {{ options.example }}",
        "",
    )
    alarm_topic_arn: str = setting("arn:.+:sns:.+", "the ARN of an SNS topic", ""){#- -#}
