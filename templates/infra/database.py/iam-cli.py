"""How the functions log in to Atlas: as their execution roles, without a password."""

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.settings import Settings

DATABASE = {{ cookiecutter.__database_name_literal }}


class Database(Construct):
    """The Atlas cluster."""

    def __init__(self, stack: Stack, settings: Settings) -> None:
        super().__init__(stack, "Database")
        host, query = settings.cluster_host, "authMechanism=MONGODB-AWS&authSource=%24external"
        self._uri = f"mongodb+srv://{host}/?{query}"
        CfnOutput(stack, "ClusterHost", value=host)

    def connect(self, function: lambda_.Function) -> None:
        """Tell a function where the database is."""
        function.add_environment("MONGODB_URI", self._uri)
        function.add_environment("MONGODB_DATABASE", DATABASE)
