{%- from 'service.j2' import secret with context -%}
"""The way to Atlas: a route between the two networks, which are peered."""

from typing import Any

from aws_cdk import Acknowledgment, Annotations, CfnOutput, Stack, Validations
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
{%- if secret %}
from aws_cdk import aws_secretsmanager as secretsmanager
{%- endif %}
from constructs import Construct

from infra.settings import Settings

{% include 'infra/network.py/vpc.py' %}

class Network(Construct):
    """Private subnets, whose only way out leads to the Atlas project's network."""

    def __init__(self, stack: Stack, settings: Settings) -> None:
        super().__init__(stack, "Network")
        private = ec2.SubnetConfiguration(
            name="Private", cidr_mask=24, subnet_type=ec2.SubnetType.PRIVATE_ISOLATED
        )
        self.vpc = get_vpc(self, settings, subnet_configuration=[private])
        calls = "Functions may call MongoDB and endpoints of this VPC; nothing may call them"
        self.functions = make_group(self, "FunctionSecurityGroup", self.vpc, calls)
        groups = [self.functions]
        self.placement = {"vpc": self.vpc, "security_groups": groups, "initial_policy": [ATTACH]}
        atlas = ec2.Peer.ipv4(settings.atlas_cidr)
        self.functions.add_egress_rule(atlas, ec2.Port.tcp_range(27015, 27017), "MongoDB")

        vpc_cidr = settings.existing_vpc_cidr or settings.vpc_cidr
        if peering := settings.peering_connection_id:
            self._route(settings, peering)
            CfnOutput(stack, "PeeringConnectionId", value=peering)
        CfnOutput(stack, "AtlasCidr", value=settings.atlas_cidr)
        CfnOutput(stack, "VpcId", value=self.vpc.vpc_id)
        CfnOutput(stack, "VpcCidr", value=vpc_cidr)

{% include 'infra/network.py/route.py' -%}
