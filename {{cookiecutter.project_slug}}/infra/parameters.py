{%- from 'service.j2' import reserved_concurrency with context -%}
{%- from 'parameters.j2' import parameters, octet, id with context -%}
{%- macro attribute(name) %}{% for letter in name -%}
{{ "_" if letter.isupper() and not loop.first }}{{ letter | lower }}
{%- endfor %}{% endmacro -%}
{%- set ipv4 = octet ~ "(\\." ~ octet ~ "){3}" -%}
{%- macro literal(text, width) -%}
"{{ text | wordwrap(width, break_on_hyphens=false, wrapstring=' "\n            "') }}"
{%- endmacro -%}
{%- macro regex(text) %}
{%- set named = text | replace(ipv4, "{IPV4}") | replace(octet, "{OCTET}") | replace(id, "{ID}") %}
{{- "r" if "\\" in named }}{{ "f" if named != text }}"{{ named }}"
{%- endmacro -%}
"""What is said at a deploy: `npx cdk deploy --parameters NAME=VALUE`."""

from aws_cdk import Aws, CfnCondition, CfnParameter, Fn, Token
from constructs import Construct
{%- if cookiecutter.network != "public" %}

OCTET = "{{ octet }}"
{%- if cookiecutter.network in ["nat", "peering"] %}
IPV4 = OCTET + r"(\." + OCTET + "){3}"
{%- endif %}
ID = "{{ id }}"
{%- endif %}


class Parameters:
    """The stack's parameters, each standing for what it is given."""

    def __init__(self, scope: Construct) -> None:
        def text(
            name: str,
            default: str | None = None,
            *,
            description: str,
            pattern: str,
            constraint: str,
        ) -> str:
            parameter = CfnParameter(
                scope,
                name,
                default=default,
                description=description,
                allowed_pattern=pattern,
                constraint_description=constraint,
            )
            return parameter.value_as_string

        self.cluster_host = text(
            "ClusterHost",
            description="Host name of the Atlas cluster, such as cluster0.ab1cd.mongodb.net",
            pattern=r"[a-z0-9-]+(\.[a-z0-9-]+){2,}",
            constraint="must be a bare host name such as cluster0.ab1cd.mongodb.net, without "
            "mongodb+srv:// or a path",
        )
{%- for parameter in parameters %}
        self.{{ attribute(parameter.name) }} = text(
            "{{ parameter.name }}",
{%- if parameter.default is not none %}
            default="{{ parameter.default }}",
{%- endif %}
            description={{ literal(parameter.description, 73) }},
            pattern={{ regex(parameter.pattern) }},
            constraint={{ literal(parameter.constraint, 74) }},
        )
{%- endfor %}
        environments = CfnParameter(
            scope,
            "ReservedConcurrency",
            type="Number",
            default={{ reserved_concurrency }},
            min_value=0,
            description="Execution environments that {{ "each" if cookiecutter.layout == "multi-lambda" else "the" }} function may have. Each holds up to 2 "
            "connections on the cluster's primary. 0 reserves none, for accounts whose concurrency "
            "limit is too low.",
        ).value_as_number
        topic = CfnParameter(
            scope,
            "AlarmTopicArn",
            default="",
            description="SNS topic that the alarms notify. Empty for none.",
        ).value_as_string

        CfnCondition(
            scope,
            "ReserveConcurrency",
            expression=Fn.condition_not(Fn.condition_equals(environments, 0)),
        )
        CfnCondition(
            scope, "NotifyTopic", expression=Fn.condition_not(Fn.condition_equals(topic, ""))
        )
        self.reserved_concurrency = Token.as_number(
            Fn.condition_if("ReserveConcurrency", environments, Aws.NO_VALUE)
        )
        self.alarm_actions = Token.as_list(Fn.condition_if("NotifyTopic", [topic], Aws.NO_VALUE))
