{%- set password = cookiecutter.auth == "password" -%}
{%- set atlas = cookiecutter.atlas_setup == "stack" -%}
"""The way to Atlas: an interface endpoint of AWS PrivateLink."""

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
from infra.vpc import NOWHERE, Vpc


class Network:
    """Private subnets, from which nothing but endpoints can be reached."""

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
        atlas_group = ec2.CfnSecurityGroup(
            scope,
            "AtlasEndpointSecurityGroup",
            group_description="Only functions may call the endpoint of Atlas, which calls nothing",
            vpc_id=vpc.id,
            security_group_egress=[NOWHERE],
        )
        endpoint = ec2.CfnVPCEndpoint(
            scope,
            "AtlasEndpoint",
            vpc_endpoint_type="Interface",
            service_name={{ "atlas.endpoint_service_name" if atlas else "parameters.endpoint_service_name" }},
            vpc_id=vpc.id,
            subnet_ids=vpc.subnet_ids,
            security_group_ids=[atlas_group.ref],
        )
        self.atlas_endpoint_id = endpoint.ref
{%- if atlas %}
        atlas.accept(endpoint.ref)
{%- endif %}
{%- if password %}

        secrets = SecretsEndpoint(scope, vpc, parameters, secret)
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
                    description="MongoDB. Atlas gives each node of each cluster a port",
                    ip_protocol="tcp",
                    from_port=1024,
                    to_port=65535,
                    destination_security_group_id=atlas_group.ref,
                ),
{%- if password %}
                secrets.egress,
{%- endif %}
            ],
        )
        ec2.CfnSecurityGroupIngress(
            scope,
            "AtlasEndpointIngress",
            description="MongoDB. Atlas gives each node of each cluster a port",
            group_id=atlas_group.ref,
            source_security_group_id=group.ref,
            ip_protocol="tcp",
            from_port=1024,
            to_port=65535,
        )
{%- if password %}
        secrets.admit(group)
{%- endif %}
        self.vpc_config = lambda_.CfnFunction.VpcConfigProperty(
            subnet_ids=vpc.subnet_ids, security_group_ids=[group.ref]
        )
