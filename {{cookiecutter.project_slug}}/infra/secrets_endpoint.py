"""The way to the password: an interface endpoint of Secrets Manager."""

from aws_cdk import Acknowledgment, Aws, Validations
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.parameters import Parameters
from infra.vpc import NOWHERE, Vpc


class SecretsEndpoint:
    """An endpoint in a new VPC, through which one secret can be read.

    An existing VPC brings its own, since a second one would take over the service's name from those
    who use it there.
    """

    def __init__(
        self,
        scope: Construct,
        vpc: Vpc,
        parameters: Parameters,
        secret: secretsmanager.CfnSecret,
    ) -> None:
        self._scope = scope
        group = ec2.CfnSecurityGroup(
            scope,
            "SecretsManagerEndpointSecurityGroup",
            group_description="Only functions may call the endpoint of Secrets Manager, which "
            "calls nothing",
            vpc_id=vpc.new.ref,
            security_group_egress=[NOWHERE],
        )
        read = iam.PolicyStatement(
            sid="ReadDatabasePassword",
            principals=[iam.StarPrincipal()],
            actions=["secretsmanager:GetSecretValue"],
            resources=[secret.ref],
        )
        endpoint = ec2.CfnVPCEndpoint(
            scope,
            "SecretsManagerEndpoint",
            vpc_endpoint_type="Interface",
            service_name=f"com.amazonaws.{Aws.REGION}.secretsmanager",
            vpc_id=vpc.new.ref,
            subnet_ids=vpc.new_subnets,
            security_group_ids=[group.ref],
            private_dns_enabled=True,
            policy_document=iam.PolicyDocument(statements=[read]),
        )
        vpc.only_if_new(group, endpoint)
        Validations.of(scope).acknowledge(
            Acknowledgment(
                id="CloudFormation-Validate::W2509",
                reason="SecretsManagerSecurityGroupId is no password.",
            )
        )
        self._group_id = vpc.choose(group.ref, parameters.secrets_manager_security_group_id)
        self.egress = ec2.CfnSecurityGroup.EgressProperty(
            description="Secrets Manager",
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            destination_security_group_id=self._group_id,
        )

    def admit(self, group: ec2.CfnSecurityGroup) -> None:
        """Let the members of a group call the endpoint."""
        ec2.CfnSecurityGroupIngress(
            self._scope,
            "SecretsManagerIngress",
            description="Functions of this stack",
            group_id=self._group_id,
            source_security_group_id=group.ref,
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
        )
