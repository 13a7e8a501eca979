"""How the functions log in to Atlas: with a password that Secrets Manager made and keeps."""

import json

from aws_cdk import Acknowledgment, CfnOutput, Stack, Validations
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
ROTATION = Acknowledgment(
    id="AwsSolutions::AwsSolutions-SMG4",
    reason="A rotation has to change the password in Atlas, too, by an API key that isn't here.",
)


class Database(Construct):
    """The Atlas cluster. atlas-bootstrap.yaml activates the types of its resources."""

    def __init__(self, stack: Stack, settings: Settings) -> None:
        super().__init__(stack, "Database")
        user = stack.stack_name
        self.secret = secretsmanager.Secret(
            self,
            "Secret",
            description=f"MongoDB user of {user}",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=json.dumps({"username": user}),
                generate_string_key="password",
                password_length=32,
                exclude_punctuation=True,
            ),
        )
        Validations.of(self.secret).acknowledge(ROTATION)
        cluster = settings.atlas_cluster_name
        CfnDatabaseUser(
            self,
            "User",
            profile=settings.atlas_profile,
            project_id=settings.atlas_project_id,
            database_name="admin",
            username=user,
            password=self.secret.secret_value_from_json("password").unsafe_unwrap(),
            roles=[RoleDefinition(role_name="readWrite", database_name=DATABASE)],
            scopes=[ScopeDefinition(type=ScopeDefinitionType.CLUSTER, name=cluster)],
        )
        self._uri = f"mongodb+srv://{settings.cluster_host}/"
        CfnOutput(stack, "ClusterHost", value=settings.cluster_host)
        CfnOutput(stack, "DatabaseSecretArn", value=self.secret.secret_arn)

{% include 'infra/database.py/connect.py' -%}
