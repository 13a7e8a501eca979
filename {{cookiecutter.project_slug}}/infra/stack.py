{%- from 'service.j2' import functions, route_names with context -%}
{%- set password = cookiecutter.auth == "password" -%}
{%- set vpc = cookiecutter.network != "public" -%}
{%- set atlas = cookiecutter.atlas_setup == "stack" -%}
"""The service's stack.

Its parts make CloudFormation's own resources (L1), and in the stack itself: what is written here is
what is deployed, nothing is granted unseen, and parameters and logical ids have plain names.
"""

{% if password -%}
import json
{% endif -%}
from typing import Any

from aws_cdk import {{ "Acknowledgment, " if password }}Aws, CfnOutput, Stack{{ ", Validations" if password }}
{%- if password %}
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
{%- endif %}
from constructs import Construct

from infra.api import Api
{%- if atlas %}
from infra.atlas import Atlas
{%- endif %}
from infra.code import make_code
{%- if vpc %}
from infra.network import Network
{%- endif %}
from infra.parameters import Parameters
from infra.service_function import ServiceFunction

# Prefix of the logical ids, suffix of the function's name, handler, routes.
FUNCTIONS: list[tuple[str, str, str, dict[str, str]]] = [
{%- for function in functions %}
    (
        "{{ function.prefix }}",
        "{{ function.suffix }}",
        "{{ function.handler }}",
{%- if function.routes %}
        {
{%- for route in function.routes %}
            "{{ route_names[route] }}": "{{ route }}",
{%- endfor %}
        },
{%- else %}
        {},
{%- endif %}
    ),
{%- endfor %}
]


class ServiceStack(Stack):
    """{{ "The functions" if functions | length > 1 else "The function" }}, the HTTP API{{ ", the secret" if password }} and the way to Atlas."""

    def __init__(self, scope: Construct, construct_id: str, **options: Any) -> None:
        super().__init__(scope, construct_id, **options)
        self._outputs = Construct(self, "Outputs")
        parameters = Parameters(self)
{%- if password %}
        secret = make_secret(self)
{%- endif %}
{%- if atlas %}
        atlas = Atlas(self, parameters)
{%- if password %}
        atlas.add_user(secret)
{%- endif %}
{%- endif %}
{%- if vpc %}
        network = Network(self, parameters{{ ", atlas" if atlas }}{{ ", secret" if password and cookiecutter.network != "nat" }})
{%- elif atlas %}
        atlas.admit("0.0.0.0/0")  # WARNING: the whole internet. For trials only
{%- endif %}

        environment = {
{%- if password %}
            "MONGODB_URI": f"mongodb+srv://{parameters.cluster_host}/",
            "MONGODB_DATABASE": {{ cookiecutter.__database_name_literal }},
            "MONGODB_SECRET_ARN": secret.ref,
{%- else %}
            # No credentials: the driver signs in with the execution role.
            "MONGODB_URI": f"mongodb+srv://{parameters.cluster_host}/"
            "?authMechanism=MONGODB-AWS&authSource=%24external",
            "MONGODB_DATABASE": {{ cookiecutter.__database_name_literal }},
{%- endif %}
            "POWERTOOLS_SERVICE_NAME": "{{ cookiecutter.project_slug }}",
        }
        code = make_code(self)
        api = Api(self)
        self.output("ApiUrl", api.url, "Call it with requests signed by IAM (SigV4)")
        for prefix, suffix, handler, routes in FUNCTIONS:
            function = ServiceFunction(
                self,
                prefix,
                name=f"{Aws.STACK_NAME}{suffix}",
                role_name=f"{Aws.STACK_NAME}{suffix or '-function'}",
                handler=handler,
                code=code,
                environment=environment,
                parameters=parameters,
{%- if vpc %}
                vpc_config=network.vpc_config,
{%- endif %}
{%- if password %}
                statements=[
                    iam.PolicyStatement(
                        sid="ReadDatabasePassword",
                        actions=["secretsmanager:GetSecretValue"],
                        resources=[secret.ref],
                    )
                ],
{%- endif %}
            )
            for name, route in routes.items():
                api.add_route(name, route, function)
{%- if atlas and not password %}
            atlas.add_role(prefix, function.role_arn)
{%- endif %}
            self.output(f"{prefix}FunctionName", function.name)
            self.output(f"{prefix}ExecutionRoleArn", function.role_arn)
{%- if password %}
        self.output("DatabaseSecretArn", secret.ref)
{%- endif %}
{%- if cookiecutter.network == "nat" %}
        self.output(
            "NatAddress",
            network.address,
            "What Atlas must admit, and nothing else. One address, or two with a comma",
        )
{%- elif cookiecutter.network == "peering" %}
        self.output("VpcId", network.vpc_id, "The VPC to peer with Atlas")
        self.output("VpcCidr", network.vpc_cidr, "What Atlas must admit, and nothing else")
{%- if atlas %}
        self.output("PeeringConnectionId", network.peering_connection_id, "The peering to accept")
{%- endif %}
{%- elif cookiecutter.network == "private-endpoint" %}
        self.output(
            "AtlasEndpointId", network.atlas_endpoint_id, "The endpoint that Atlas must accept"
        )
{%- endif %}

    def output(self, name: str, value: str, description: str | None = None) -> None:
        """Show a value after a deploy. A resource or a parameter may have the same name."""
        output = CfnOutput(self._outputs, name, value=value, description=description)
        output.override_logical_id(name)
{%- if password %}


def make_secret(scope: Construct) -> secretsmanager.CfnSecret:
    """Return the user name and password of the database, which nobody has to know."""
    secret = secretsmanager.CfnSecret(
        scope,
        "DatabaseSecret",
        description=f"MongoDB user of {Aws.STACK_NAME}",
        generate_secret_string=secretsmanager.CfnSecret.GenerateSecretStringProperty(
            secret_string_template=json.dumps({"username": Aws.STACK_NAME}),
            generate_string_key="password",
            password_length=32,
            exclude_punctuation=True,
        ),
    )
    Validations.of(secret).acknowledge(
        Acknowledgment(
            id="AwsSolutions::AwsSolutions-SMG4",
            reason="A rotation has to change the password in Atlas too, with an API key that this "
            "stack doesn't have. The functions read a rotated password without a deploy.",
        )
    )
    return secret
{%- endif %}
