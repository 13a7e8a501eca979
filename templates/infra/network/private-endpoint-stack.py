"""The way to Atlas: an interface endpoint of AWS PrivateLink."""

from aws_cdk import Aws, CfnOutput, Stack
from aws_cdk import aws_ec2 as ec2
{%- if cookiecutter.auth == "password" %}
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
{%- endif %}
from awscdk_resources_mongodbatlas import (
    CfnPrivateEndpointAws,
    CfnPrivateEndpointService,
    CfnPrivateEndpointServicePropsCloudProvider,
)
from constructs import Construct

from infra.settings import Settings
from infra.vpc import ATTACH, get_vpc, make_group


class Network(Construct):
    """Private subnets, from which nothing but endpoints can be reached."""

    def __init__(self, stack: Stack, settings: Settings) -> None:
        super().__init__(stack, "Network")
        private = ec2.SubnetConfiguration(
            name="Private", cidr_mask=24, subnet_type=ec2.SubnetType.PRIVATE_ISOLATED
        )
        self.vpc = get_vpc(self, settings, subnet_configuration=[private])
        calls = "Functions may call MongoDB and endpoints of this VPC; nothing may call them"
        self.functions = make_group(self, "FunctionSecurityGroup", self.vpc, calls)
        self.placement = {
            "vpc": self.vpc,
            "security_groups": [self.functions],
            "initial_policy": [ATTACH],
        }

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
        endpoint = ec2.InterfaceVpcEndpoint(
            self,
            "AtlasEndpoint",
            vpc=self.vpc,
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
