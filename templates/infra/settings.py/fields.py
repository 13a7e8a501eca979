    stack_name: str = setting("[a-zA-Z][a-zA-Z0-9-]{0,127}", "the name of a stack, such as orders")
    cluster_host: str = setting(
        r"[a-z0-9-]+(\.[a-z0-9-]+){2,}", "a bare host name such as cluster0.ab1cd.mongodb.net"
    )
{%- if cookiecutter.atlas_setup == "stack" %}
    atlas_project_id: str = setting("[0-9a-f]{24}", "24 hexadecimal digits: atlas projects list")
    atlas_cluster_name: str = setting(
        "[a-zA-Z0-9]([a-zA-Z0-9-]{0,62}[a-zA-Z0-9])?", "the name of a cluster, such as Cluster0"
    )
    atlas_profile: str = setting("[a-zA-Z0-9_-]+", "of letters, digits, - and _", "default")
{%- endif %}{#- -#}
