"""How the functions log in to Atlas: with a password that Secrets Manager made and keeps."""

import json

from aws_cdk import Acknowledgment, CfnOutput, Stack, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from awscdk_resources_mongodbatlas import (
    CfnDatabaseUser,
    RoleDefinition,
    ScopeDefinition,
    ScopeDefinitionType,
)
from constructs import Construct

from infra.settings import Settings

DATABASE = {{ cookiecutter.__database_name_literal }}
{% include 'infra/database.py/rotation.py' %}

class Database(Construct):
    """The Atlas cluster. atlas-bootstrap.yaml activates the types of its resources."""

    def __init__(self, stack: Stack, settings: Settings) -> None:
        super().__init__(stack, "Database")
{% include 'infra/database.py/secret.py' %}        cluster = settings.atlas_cluster_name
        rotated = "Rotated by Secrets Manager" if settings.rotation_admin_secret_arn else None
        database_user = CfnDatabaseUser(
            self,
            "User",
            profile=settings.atlas_profile,
            project_id=settings.atlas_project_id,
            database_name="admin",
            username=user,
            # CloudFormation sends the password again if this differs, as the secret's does then.
            description=rotated,
            password=self.secret.secret_value_from_json("password").unsafe_unwrap(),
            roles=[RoleDefinition(role_name="readWrite", database_name=DATABASE)],
            scopes=[ScopeDefinition(type=ScopeDefinitionType.CLUSTER, name=cluster)],
        )
        if settings.rotation_admin_secret_arn:
            self._rotate(stack, settings.rotation_admin_secret_arn).add_dependency(database_user)
        Validations.of(self.secret).acknowledge(ROTATION)
        self._uri = f"mongodb+srv://{settings.cluster_host}/"
        CfnOutput(stack, "ClusterHost", value=settings.cluster_host)
        CfnOutput(stack, "DatabaseSecretArn", value=self.secret.secret_arn)

{% include 'infra/database.py/connect.py' %}
{% include 'infra/database.py/rotate.py' -%}
