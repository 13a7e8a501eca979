    rotation_admin_secret_arn: str = setting(
        "arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:"
        "[a-zA-Z0-9/_+=.@-]+-[a-zA-Z0-9]{6}",
        "the whole ARN of a secret, such as "
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:atlas-AbCdEf",
        "",
    )
{%- if cookiecutter.atlas_setup == "cli" %}
    atlas_project_id: str = setting(
        "[0-9a-f]{24}", "24 hexadecimal digits: atlas projects list", ""
    )
{%- endif %}
