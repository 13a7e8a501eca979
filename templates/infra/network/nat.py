"""The way to Atlas: through a NAT gateway with a fixed address, the only one that Atlas admits."""

from aws_cdk import Acknowledgment, CfnCondition, Fn, Token, Validations
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

{% if cookiecutter.atlas_setup == "stack" -%}
from infra.atlas import Atlas
{% endif -%}
from infra.parameters import Parameters
from infra.vpc import Vpc, differs


class Network:
    """Private subnets with a way out, by one gateway for both Availability Zones."""

    def __init__(self, scope: Construct, parameters: Parameters{{ ", atlas: Atlas" if cookiecutter.atlas_setup == "stack" }}) -> None:
        vpc = Vpc(scope, parameters)
        new_address = add_nat_gateway(scope, vpc)
        second = CfnCondition(
            scope, "SecondNatAddress", expression=differs("NatAddressB", "NatAddressA")
        )
        both = f"{parameters.nat_address_a},{parameters.nat_address_b}"
        existing = Fn.condition_if(second.logical_id, both, parameters.nat_address_a)
        self.address = vpc.choose(new_address, Token.as_string(existing))
{%- if cookiecutter.atlas_setup == "stack" %}
        address = vpc.choose(new_address, parameters.nat_address_a)
        atlas.admit(address, parameters.nat_address_b, second)
{%- endif %}

        group = ec2.CfnSecurityGroup(
            scope,
            "FunctionSecurityGroup",
            group_description="Functions may call MongoDB and HTTPS endpoints; nothing may call "
            "them",
            vpc_id=vpc.id,
            security_group_egress=[
                ec2.CfnSecurityGroup.EgressProperty(
                    description="MongoDB. The addresses of an Atlas cluster change",
                    ip_protocol="tcp",
                    from_port=27015,
                    to_port=27017,
                    cidr_ip="0.0.0.0/0",
                ),
                ec2.CfnSecurityGroup.EgressProperty(
                    description="AWS services",
                    ip_protocol="tcp",
                    from_port=443,
                    to_port=443,
                    cidr_ip="0.0.0.0/0",
                ),
            ],
        )
        self.vpc_config = lambda_.CfnFunction.VpcConfigProperty(
            subnet_ids=vpc.subnet_ids, security_group_ids=[group.ref]
        )
        Validations.of(scope).acknowledge(
            Acknowledgment(
                id="CloudFormation-Validate::W1001",
                reason="The output chooses by the condition that the resource depends on.",
            ),
            Acknowledgment(
                id="CloudFormation-Validate::W1028",
                reason="An existing VPC has a second address or not: both are reachable.",
            ),
            Acknowledgment(
                id="CloudFormation-Validate::W8003",
                reason="NatAddressA and NatAddressB are the same by default only.",
            ),
        )


def add_nat_gateway(scope: Construct, vpc: Vpc) -> str:
    """Make the way out of a new VPC; return its public address."""
    table = ec2.CfnRouteTable(scope, "PublicRouteTable", vpc_id=vpc.new.ref)
    subnet = vpc.add_subnet("PublicSubnet", table, zone=0, block=2)
    gateway = ec2.CfnInternetGateway(scope, "InternetGateway")
    attachment = ec2.CfnVPCGatewayAttachment(
        scope,
        "InternetGatewayAttachment",
        vpc_id=vpc.new.ref,
        internet_gateway_id=gateway.ref,
    )
    route = ec2.CfnRoute(
        scope,
        "PublicRoute",
        route_table_id=table.ref,
        destination_cidr_block="0.0.0.0/0",
        gateway_id=gateway.ref,
    )
    route.add_dependency(attachment)
    address = ec2.CfnEIP(scope, "NatAddress", domain="vpc")
    address.add_dependency(attachment)
    nat = ec2.CfnNatGateway(
        scope, "NatGateway", allocation_id=address.attr_allocation_id, subnet_id=subnet
    )
    private_route = ec2.CfnRoute(
        scope,
        "PrivateRoute",
        route_table_id=vpc.route_table.ref,
        destination_cidr_block="0.0.0.0/0",
        nat_gateway_id=nat.ref,
    )
    vpc.only_if_new(table, gateway, attachment, route, address, nat, private_route)
    return address.ref
