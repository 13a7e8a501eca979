"""The VPC of the functions: a new one, or the existing one that the settings name."""

from typing import Any

from aws_cdk import Acknowledgment, Annotations, Stack, Validations
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.settings import Settings

# Lambda asks this of the role of a function in a VPC, before there is an interface to name.
ATTACH = iam.PolicyStatement(
    actions=[
        "ec2:CreateNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:DeleteNetworkInterface",
        "ec2:AssignPrivateIpAddresses",
        "ec2:UnassignPrivateIpAddresses",
    ],
    resources=["*"],
)


def get_vpc(scope: Construct, settings: Settings, **options: Any) -> ec2.IVpc:
    """Return a VPC with subnets in two zones. Options are those of a new Vpc."""
    zones = [settings.availability_zone_a, settings.availability_zone_b]
    zones = zones if all(zones) else Stack.of(scope).availability_zones[:2]
    if settings.vpc_id:
        Annotations.of(scope).acknowledge_warning("@aws-cdk/aws-ec2:noSubnetRouteTableId")
        return ec2.Vpc.from_vpc_attributes(
            scope,
            "Vpc",
            vpc_id=settings.vpc_id,
            availability_zones=zones,
            private_subnet_ids=[settings.subnet_id_a, settings.subnet_id_b],
        )
    addresses = ec2.IpAddresses.cidr(settings.vpc_cidr)
    vpc = ec2.Vpc(scope, "Vpc", ip_addresses=addresses, availability_zones=zones, **options)
    Validations.of(vpc).acknowledge(
        Acknowledgment(
            id="AwsSolutions::AwsSolutions-VPC7",
            reason="Flow logs are billed by the gigabyte, and nothing here can be called from "
            "outside. Add them where your rules ask for them.",
        )
    )
    return vpc


def make_group(
    scope: Construct, construct_id: str, vpc: ec2.IVpc, description: str
) -> ec2.SecurityGroup:
    """Return a security group whose members may call nobody yet, nor be called."""
    return ec2.SecurityGroup(
        scope, construct_id, vpc=vpc, description=description, allow_all_outbound=False
    )
