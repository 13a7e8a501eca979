{%- from 'parameters.j2' import existing_vpc with context -%}
"""The VPC of the functions: a new one, or the existing one that the parameters name."""

from aws_cdk import (
    Acknowledgment,
    CfnCondition,
    CfnResource,
    CfnRule,
    CfnRuleAssertion,
    Fn,
    ICfnRuleConditionExpression,
    Token,
    Validations,
)
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from infra.parameters import Parameters

# The parameters that say more about VpcId, and what each must be then if it can't be left out.
EXISTING_VPC: dict[str, str | None] = {
{%- for name, needed in existing_vpc.items() %}
    "{{ name }}": {{ '"' ~ needed ~ '"' if needed else "None" }},
{%- endfor %}
}

{%- set nowhere = cookiecutter.network == "private-endpoint"
                  or cookiecutter.network == "peering" and cookiecutter.auth == "password" %}
{%- if nowhere %}

# Without a rule, EC2 would allow everything.
NOWHERE = ec2.CfnSecurityGroup.EgressProperty(
    description="Nowhere", ip_protocol="-1", cidr_ip="127.0.0.1/32"
)
{%- endif %}


class Vpc:
    """A VPC with private subnets in two Availability Zones."""

    def __init__(self, scope: Construct, parameters: Parameters) -> None:
        self._scope = scope
        self._cidr = parameters.vpc_cidr
        self._create = CfnCondition(scope, "CreateVpc", expression=is_empty("VpcId"))
        self.new = ec2.CfnVPC(
            scope,
            "Vpc",
            cidr_block=self._cidr,
            enable_dns_support=True,
            enable_dns_hostnames=True,
        )
        self.route_table = ec2.CfnRouteTable(scope, "PrivateRouteTable", vpc_id=self.new.ref)
        self.only_if_new(self.new, self.route_table)
        Validations.of(self.new).acknowledge(
            Acknowledgment(
                id="AwsSolutions::AwsSolutions-VPC7",
                reason="Flow logs are billed by the gigabyte, and nothing here can be called from "
                "outside. Add them where your rules ask for them.",
            )
        )
        self.new_subnets = [
            self.add_subnet("PrivateSubnetA", self.route_table, zone=0, block=0),
            self.add_subnet("PrivateSubnetB", self.route_table, zone=1, block=1),
        ]
        self.id = self.choose(self.new.ref, parameters.vpc_id)
        self.subnet_ids = Token.as_list(
            Fn.condition_if(
                self._create.logical_id,
                self.new_subnets,
                [parameters.subnet_id_a, parameters.subnet_id_b],
            )
        )
        add_rules(scope)

    def only_if_new(self, *resources: CfnResource) -> None:
        """Leave these resources out in an existing VPC."""
        for resource in resources:
            resource.cfn_options.condition = self._create

    def choose(self, new: str, existing: str) -> str:
        """Return one value with a new VPC, and another with an existing one."""
        return Token.as_string(Fn.condition_if(self._create.logical_id, new, existing))

    def add_subnet(
        self, name: str, route_table: ec2.CfnRouteTable, *, zone: int, block: int
    ) -> str:
        """Return the id of a new subnet, in one of the Region's zones and of the VPC's blocks."""
        subnet = ec2.CfnSubnet(
            self._scope,
            name,
            vpc_id=self.new.ref,
            cidr_block=Fn.select(block, Fn.cidr(self._cidr, 3, "8")),
            availability_zone=Fn.select(zone, Fn.get_azs("")),
        )
        routes = ec2.CfnSubnetRouteTableAssociation(
            self._scope, f"{name}Routes", subnet_id=subnet.ref, route_table_id=route_table.ref
        )
        self.only_if_new(subnet, routes)
        return subnet.ref


def add_rules(scope: Construct) -> None:
    """Check what no parameter can check alone. Nothing is made unless this holds."""
    missing = [
        CfnRuleAssertion(
            assert_=Fn.condition_not(is_empty(name)),
            assert_description=f"{name} is missing. It must be {needed}.",
        )
        for name, needed in EXISTING_VPC.items()
        if needed
    ]
    same = Fn.condition_equals(Fn.ref("SubnetIdA"), Fn.ref("SubnetIdB"))
    differ = CfnRuleAssertion(
        assert_=Fn.condition_not(same), assert_description="SubnetIdA and SubnetIdB must differ."
    )
    CfnRule(
        scope,
        "ExistingVpc",
        rule_condition=Fn.condition_not(is_empty("VpcId")),
        assertions=[*missing, differ],
    )
    CfnRule(
        scope,
        "NewVpc",
        rule_condition=is_empty("VpcId"),
        assertions=[
            CfnRuleAssertion(
                assert_=is_empty(name),
                assert_description=f"{name} is given but VpcId is not.",
            )
            for name in EXISTING_VPC
        ],
    )


def is_empty(parameter: str) -> ICfnRuleConditionExpression:
    """Return the condition that nothing is given for a parameter."""
    return Fn.condition_equals(Fn.ref(parameter), "")
{%- if cookiecutter.network in ["nat", "peering"] %}


def differs(parameter: str, other: str) -> ICfnRuleConditionExpression:
    """Return the condition that something is given for a parameter, and not the same as another."""
    same = Fn.condition_equals(Fn.ref(parameter), Fn.ref(other))
    return Fn.condition_not(Fn.condition_or(is_empty(parameter), same))
{%- endif %}
