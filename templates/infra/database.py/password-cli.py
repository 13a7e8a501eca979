"""How the functions log in to Atlas: with a password that Secrets Manager made and keeps."""

import json

from aws_cdk import Acknowledgment, CfnOutput, Stack, Validations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.settings import Settings

DATABASE = {{ cookiecutter.__database_name_literal }}
{% include 'infra/database.py/rotation.py' %}

class Database(Construct):
    """The Atlas cluster."""

    def __init__(self, stack: Stack, settings: Settings) -> None:
        super().__init__(stack, "Database")
{% include 'infra/database.py/secret.py' %}        if settings.rotation_admin_secret_arn:
            self._rotate(stack, settings.rotation_admin_secret_arn)
        Validations.of(self.secret).acknowledge(ROTATION)
        self._uri = f"mongodb+srv://{settings.cluster_host}/"
        CfnOutput(stack, "ClusterHost", value=settings.cluster_host)
        CfnOutput(stack, "DatabaseSecretArn", value=self.secret.secret_arn)

{% include 'infra/database.py/connect.py' %}
{% include 'infra/database.py/rotate.py' -%}
