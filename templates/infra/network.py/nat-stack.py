"""The way to Atlas: through a NAT gateway, whose address is in Atlas's IP access list."""

from typing import Any

from aws_cdk import Acknowledgment, Annotations, CfnOutput, Stack, Validations
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from awscdk_resources_mongodbatlas import AccessListDefinition, CfnProjectIpAccessList
from constructs import Construct

from infra.settings import Settings

{% include 'infra/network.py/vpc.py' %}

class Network(Construct):
    """Private subnets with one gateway to the internet for both Availability Zones."""

    def __init__(self, stack: Stack, settings: Settings) -> None:
        super().__init__(stack, "Network")
        if settings.vpc_id:
            vpc = get_vpc(self, settings)
            given = [settings.nat_address_a, settings.nat_address_b]
            addresses = list(dict.fromkeys(filter(None, given)))
        else:
            address = ec2.CfnEIP(self, "NatAddress", domain="vpc")
            gateway = ec2.NatProvider.gateway(eip_allocation_ids=[address.attr_allocation_id])
            vpc = get_vpc(
                self,
                settings,
                nat_gateways=1,
                nat_gateway_provider=gateway,
                subnet_configuration=[
                    ec2.SubnetConfiguration(
                        name="Private", cidr_mask=24, subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS
                    ),
                    ec2.SubnetConfiguration(
                        name="Public",
                        cidr_mask=24,
                        subnet_type=ec2.SubnetType.PUBLIC,
                        map_public_ip_on_launch=False,
                    ),
                ],
            )
            address.node.add_dependency(vpc.internet_connectivity_established)
            addresses = [address.ref]
        CfnOutput(stack, "NatAddress", value=",".join(addresses))
        CfnProjectIpAccessList(
            self,
            "AtlasAccessList",
            profile=settings.atlas_profile,
            project_id=settings.atlas_project_id,
            access_list=[
                AccessListDefinition(ip_address=it, comment=stack.stack_name) for it in addresses
            ],
        )

        calls = "Functions may call MongoDB and HTTPS endpoints; nothing may call them"
        functions = make_group(self, "FunctionSecurityGroup", vpc, calls)
        mongodb = "MongoDB. The addresses of an Atlas cluster change"
        functions.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp_range(27015, 27017), mongodb)
        functions.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.HTTPS, "AWS services")
        self.placement = {"vpc": vpc, "security_groups": [functions], "initial_policy": [ATTACH]}
