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
FLOW_LOGS = Acknowledgment(
    id="AwsSolutions::AwsSolutions-VPC7",
    reason="Flow logs are billed by the gigabyte. Add them where your rules ask for them.",
)


def get_vpc(scope: Construct, settings: Settings, **options: Any) -> ec2.IVpc:
    """Return the VPC that the settings name, or a new one. Options are those of ec2.Vpc."""
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
    Validations.of(vpc).acknowledge(FLOW_LOGS)
    return vpc


def make_group(
    scope: Construct, construct_id: str, vpc: ec2.IVpc, description: str
) -> ec2.SecurityGroup:
    """Return a security group whose members may call nobody yet, nor be called."""
    return ec2.SecurityGroup(
        scope, construct_id, vpc=vpc, description=description, allow_all_outbound=False
    )
