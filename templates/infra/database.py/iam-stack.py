"""How the functions log in to Atlas: as their execution roles, without a password."""

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_lambda as lambda_
from awscdk_resources_mongodbatlas import (
    CfnDatabaseUser,
    CfnDatabaseUserPropsAwsiamType,
    RoleDefinition,
    ScopeDefinition,
    ScopeDefinitionType,
)
from constructs import Construct

from infra.settings import Settings

DATABASE = {{ cookiecutter.__database_name_literal }}


class Database(Construct):
    """The Atlas cluster. atlas-bootstrap.yaml activates the types of its resources."""

    def __init__(self, stack: Stack, settings: Settings) -> None:
        super().__init__(stack, "Database")
        self._settings = settings
        host, query = settings.cluster_host, "authMechanism=MONGODB-AWS&authSource=%24external"
        self._uri = f"mongodb+srv://{host}/?{query}"
        CfnOutput(stack, "ClusterHost", value=host)

    def connect(self, function: lambda_.Function) -> None:
        """Tell a function where the database is, and Atlas that its role may use it."""
        function.add_environment("MONGODB_URI", self._uri)
        function.add_environment("MONGODB_DATABASE", DATABASE)
        cluster = self._settings.atlas_cluster_name
        CfnDatabaseUser(
            function,
            "DatabaseUser",
            profile=self._settings.atlas_profile,
            project_id=self._settings.atlas_project_id,
            database_name="$external",
            awsiam_type=CfnDatabaseUserPropsAwsiamType.ROLE,
            username=function.role.role_arn,  # type: ignore[union-attr]
            roles=[RoleDefinition(role_name="readWrite", database_name=DATABASE)],
            scopes=[ScopeDefinition(type=ScopeDefinitionType.CLUSTER, name=cluster)],
        )
