{%- set password = cookiecutter.auth == "password" -%}
{%- set atlas = cookiecutter.atlas_setup == "stack" -%}
"""The way to Atlas: a route between the two networks, which are peered."""

{% if not atlas -%}
from typing import cast

{% endif -%}
from aws_cdk import Acknowledgment, CfnCondition{{ ", Fn, ICfnConditionExpression" if not atlas }}, Validations
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
{%- if password %}
from aws_cdk import aws_secretsmanager as secretsmanager
{%- endif %}
from constructs import Construct

{% if atlas -%}
from infra.atlas import Atlas
{% endif -%}
from infra.parameters import Parameters
{%- if password %}
from infra.secrets_endpoint import SecretsEndpoint
{%- endif %}
from infra.vpc import Vpc, differs{{ ", is_empty" if not atlas }}


class Network:
    """Private subnets, whose only way out leads to the Atlas project's network."""

    def __init__(
        self,
        scope: Construct,
        parameters: Parameters,
{%- if atlas %}
        atlas: Atlas,
{%- endif %}
{%- if password %}
        secret: secretsmanager.CfnSecret,
{%- endif %}
    ) -> None:
        vpc = Vpc(scope, parameters)
        self.vpc_id = vpc.id
        self.vpc_cidr = vpc.choose(parameters.vpc_cidr, parameters.existing_vpc_cidr)
{%- if atlas %}
        atlas.admit(self.vpc_cidr)
        self.peering_connection_id = atlas.peer(self.vpc_id, self.vpc_cidr)
        add_routes(scope, vpc, parameters, self.peering_connection_id)
{%- else %}
        add_routes(scope, vpc, parameters)
{%- endif %}
{%- if password %}

        endpoint = SecretsEndpoint(scope, vpc, parameters, secret)
{%- endif %}
        group = ec2.CfnSecurityGroup(
            scope,
            "FunctionSecurityGroup",
{%- if password %}
            group_description="Functions may call MongoDB and Secrets Manager; nothing may call "
            "them",
{%- else %}
            group_description="Functions may call MongoDB; nothing may call them",
{%- endif %}
            vpc_id=vpc.id,
            security_group_egress=[
                ec2.CfnSecurityGroup.EgressProperty(
                    description="MongoDB",
                    ip_protocol="tcp",
                    from_port=27015,
                    to_port=27017,
                    cidr_ip=parameters.atlas_cidr,
                ),
{%- if password %}
                endpoint.egress,
{%- endif %}
            ],
        )
{%- if password %}
        endpoint.admit(group)
{%- endif %}
        self.vpc_config = lambda_.CfnFunction.VpcConfigProperty(
            subnet_ids=vpc.subnet_ids, security_group_ids=[group.ref]
        )
        Validations.of(scope).acknowledge(
            Acknowledgment(
                id="CloudFormation-Validate::W1001",
                reason="The output chooses by the condition that the resource depends on.",
            ),
            Acknowledgment(
                id="CloudFormation-Validate::W8003",
                reason="RouteTableIdA and RouteTableIdB are the same by default only.",
            ),
        )


def add_routes(scope: Construct, vpc: Vpc, parameters: Parameters{{ ", peering: str" if atlas }}) -> None:
    """Route what is for Atlas through the peering{{ ", once it is there" if not atlas }}."""
    {{ "first = " if not atlas }}ec2.CfnRoute(
        scope,
        "AtlasRoute",
        route_table_id=vpc.choose(vpc.route_table.ref, parameters.route_table_id_a),
        destination_cidr_block=parameters.atlas_cidr,
        vpc_peering_connection_id={{ "peering" if atlas else "parameters.peering_connection_id" }},
    )
    second = ec2.CfnRoute(
        scope,
        "AtlasRouteB",
        route_table_id=parameters.route_table_id_b,
        destination_cidr_block=parameters.atlas_cidr,
        vpc_peering_connection_id={{ "peering" if atlas else "parameters.peering_connection_id" }},
    )
    second_table = CfnCondition(
        scope, "SecondRouteTable", expression=differs("RouteTableIdB", "RouteTableIdA")
    )
{%- if atlas %}
    second.cfn_options.condition = second_table
{%- else %}
    peered = CfnCondition(
        scope, "Peered", expression=Fn.condition_not(is_empty("PeeringConnectionId"))
    )
    first.cfn_options.condition = peered
    both = (cast(ICfnConditionExpression, it) for it in (peered, second_table))  # which they are
    second.cfn_options.condition = CfnCondition(
        scope, "SecondRoute", expression=Fn.condition_and(*both)
    )
{%- endif %}
