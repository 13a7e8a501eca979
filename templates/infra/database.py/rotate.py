    def _rotate(self, stack: Stack, admin: str) -> secretsmanager.CfnRotationSchedule:
        """Have Secrets Manager change the password every 30 days, by a service account of Atlas."""
        secret: secretsmanager.CfnSecret = self.secret.node.default_child  # type: ignore[assignment]
        secret.type = "MongoDBAtlasDatabaseUser"
        role = iam.Role(
            self,
            "RotationRole",
            role_name=f"{stack.stack_name}-secret-rotation",
            assumed_by=iam.ServicePrincipal(
                "secretsmanager.amazonaws.com",
                conditions={
                    "StringEquals": {"aws:SourceAccount": stack.account},
                    "ArnLike": {"aws:SourceArn": self.secret.secret_arn},
                },
            ),
        )
        read = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
        write = ["secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"]
        for actions, resource in (
            ([*read, *write], self.secret.secret_arn),
            (read, admin),
            (["secretsmanager:GetRandomPassword"], "*"),
        ):
            statement = iam.PolicyStatement(actions=actions, resources=[resource])
            role.add_to_policy(statement)
        Validations.of(role).acknowledge(ANY_PASSWORD)
        schedule = secretsmanager.CfnRotationSchedule(
            self,
            "Rotation",
            secret_id=self.secret.secret_arn,
            external_secret_rotation_role_arn=role.role_arn,
            external_secret_rotation_metadata=[
                secretsmanager.CfnRotationSchedule.ExternalSecretRotationMetadataItemProperty(
                    key="adminSecretArn", value=admin
                )
            ],
            rotation_rules=secretsmanager.CfnRotationSchedule.RotationRulesProperty(
                automatically_after_days=30
            ),
            # `make deploy` asks for the first rotation, when Atlas has the user.
            rotate_immediately_on_update=False,
        )
        schedule.node.add_dependency(role)  # its policy, too
        return schedule
