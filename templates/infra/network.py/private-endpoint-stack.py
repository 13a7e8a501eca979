{%- from 'service.j2' import secret with context -%}
"""The way to Atlas: an interface endpoint of AWS PrivateLink."""

from typing import Any

from aws_cdk import Acknowledgment, Annotations, Aws, CfnOutput, Stack, Validations
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
{%- if secret %}
from aws_cdk import aws_secretsmanager as secretsmanager
{%- endif %}
from awscdk_resources_mongodbatlas import (
    CfnPrivateEndpointAws,
    CfnPrivateEndpointService,
    CfnPrivateEndpointServicePropsCloudProvider,
)
from constructs import Construct

from infra.settings import Settings

{% include 'infra/network.py/vpc.py' %}

class Network(Construct):
    """Private subnets, from which only endpoints can be reached."""

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

        calls = "Only functions may call the endpoint of Atlas, which calls nothing"
        group = make_group(self, "AtlasEndpointSecurityGroup", self.vpc, calls)
        mongodb = "MongoDB. Atlas gives each node of each cluster a port"
        group.connections.allow_from(self.functions, ec2.Port.tcp_range(1024, 65535), mongodb)
        service = CfnPrivateEndpointService(
            self,
            "AtlasPrivateEndpointService",
            profile=settings.atlas_profile,
            project_id=settings.atlas_project_id,
            cloud_provider=CfnPrivateEndpointServicePropsCloudProvider.AWS,
            region=Aws.REGION,
        )
        service_name = service.attr_endpoint_service_name
        endpoint = self.vpc.add_interface_endpoint(
            "AtlasEndpoint",
            service=ec2.InterfaceVpcEndpointService(service_name),
            security_groups=[group],
            private_dns_enabled=False,
            open=False,
        )
        CfnPrivateEndpointAws(
            self,
            "AtlasPrivateEndpoint",
            profile=settings.atlas_profile,
            project_id=settings.atlas_project_id,
            endpoint_service_id=service.attr_id,
            id=endpoint.vpc_endpoint_id,
        )
        CfnOutput(stack, "AtlasEndpointId", value=endpoint.vpc_endpoint_id)
