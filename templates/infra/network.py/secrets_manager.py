
    def reach_secrets_manager(self, settings: Settings, secret: secretsmanager.ISecret) -> None:
        """Add an endpoint for one secret. An existing VPC has its own, and can't have two."""
        group: ec2.ISecurityGroup
        if settings.vpc_id:
            group = ec2.SecurityGroup.from_security_group_id(
                self, "SecretsManager", settings.secrets_manager_security_group_id
            )
        else:
            calls = "Only functions may call the endpoint of Secrets Manager, which calls nothing"
            group = make_group(self, "SecretsManagerEndpointSecurityGroup", self.vpc, calls)
            endpoint = self.vpc.add_interface_endpoint(
                "SecretsManagerEndpoint",
                service=ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
                security_groups=[group],
                open=False,
            )
            endpoint.add_to_policy(
                iam.PolicyStatement(
                    principals=[iam.StarPrincipal()],
                    actions=["secretsmanager:GetSecretValue"],
                    resources=[secret.secret_arn],
                )
            )
        group.connections.allow_from(self.functions, ec2.Port.HTTPS, "Secrets Manager")
