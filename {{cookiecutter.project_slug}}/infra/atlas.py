{%- set password = cookiecutter.auth == "password" -%}
{%- set network = cookiecutter.network -%}
"""What Atlas has to know of the service. atlas-bootstrap.yaml activates the types used here."""
{% set more = (["CfnCondition"] if network == "nat" else [])
             + (["CfnDynamicReference", "CfnDynamicReferenceService"] if password else [])
             + (["Fn"] if network == "nat" else []) %}
from aws_cdk import {{ (["Aws"] + more) | join(", ") }}
{%- if password %}
from aws_cdk import aws_secretsmanager as secretsmanager
{%- endif %}
from awscdk_resources_mongodbatlas import (
{%- if network != "private-endpoint" %}
    AccessListDefinition,
{%- endif %}
    CfnDatabaseUser,
{%- if not password %}
    CfnDatabaseUserPropsAwsiamType,
{%- endif %}
{%- if network == "private-endpoint" %}
    CfnPrivateEndpointAws,
    CfnPrivateEndpointService,
    CfnPrivateEndpointServicePropsCloudProvider,
{%- elif network == "peering" %}
    CfnNetworkPeering,
{%- endif %}
{%- if network != "private-endpoint" %}
    CfnProjectIpAccessList,
{%- endif %}
    RoleDefinition,
    ScopeDefinition,
    ScopeDefinitionType,
)
from constructs import Construct

from infra.parameters import Parameters

DATABASE = {{ cookiecutter.__database_name_literal }}


class Atlas:
    """The Atlas project of the cluster."""

    def __init__(self, scope: Construct, parameters: Parameters) -> None:
        self._scope = scope
        self._parameters = parameters
{%- if network == "private-endpoint" %}
        self._endpoint_service = CfnPrivateEndpointService(
            scope,
            "AtlasPrivateEndpointService",
            profile=parameters.atlas_profile,
            project_id=parameters.atlas_project_id,
            cloud_provider=CfnPrivateEndpointServicePropsCloudProvider.AWS,
            region=Aws.REGION,
        )
        self.endpoint_service_name = self._endpoint_service.attr_endpoint_service_name
{%- endif %}
{%- if password %}

    def add_user(self, secret: secretsmanager.CfnSecret) -> None:
        """Make the database user of a secret, which MongoDB knows by its password."""
        password = CfnDynamicReference(
            CfnDynamicReferenceService.SECRETS_MANAGER, f"{secret.ref}:SecretString:password"
        )
        CfnDatabaseUser(
            self._scope,
            "DatabaseUser",
            profile=self._parameters.atlas_profile,
            project_id=self._parameters.atlas_project_id,
            database_name="admin",
            username=Aws.STACK_NAME,  # as in the secret
            password=password.to_string(),
            roles=[RoleDefinition(role_name="readWrite", database_name=DATABASE)],
            scopes=[self._cluster()],
        )
{%- else %}

    def add_role(self, prefix: str, role_arn: str) -> None:
        """Make the database user that an execution role signs in as. The prefix begins its id."""
        CfnDatabaseUser(
            self._scope,
            f"{prefix}DatabaseUser",
            profile=self._parameters.atlas_profile,
            project_id=self._parameters.atlas_project_id,
            database_name="$external",
            awsiam_type=CfnDatabaseUserPropsAwsiamType.ROLE,
            username=role_arn,
            roles=[RoleDefinition(role_name="readWrite", database_name=DATABASE)],
            scopes=[self._cluster()],
        )
{%- endif %}

    def _cluster(self) -> ScopeDefinition:
        """Keep a user to the one cluster."""
        return ScopeDefinition(
            type=ScopeDefinitionType.CLUSTER, name=self._parameters.atlas_cluster_name
        )
{%- if network == "private-endpoint" %}

    def accept(self, endpoint_id: str) -> None:
        """Accept an interface endpoint."""
        CfnPrivateEndpointAws(
            self._scope,
            "AtlasPrivateEndpoint",
            profile=self._parameters.atlas_profile,
            project_id=self._parameters.atlas_project_id,
            endpoint_service_id=self._endpoint_service.attr_id,
            id=endpoint_id,
        )
{%- elif network == "nat" %}

    def admit(self, address: str, second_address: str, has_second: CfnCondition) -> None:
        """Let an address in, and maybe a second one."""
        first = AccessListDefinition(ip_address=address, comment=Aws.STACK_NAME)
        access_list = CfnProjectIpAccessList(
            self._scope,
            "AtlasAccessList",
            profile=self._parameters.atlas_profile,
            project_id=self._parameters.atlas_project_id,
            access_list=[first],
        )
        second = {"IPAddress": second_address, "Comment": Aws.STACK_NAME}
        access_list.add_property_override(
            "AccessList.1", Fn.condition_if(has_second.logical_id, second, Aws.NO_VALUE)
        )
{%- else %}

    def admit(self, cidr_block: str) -> None:
        """Let a range of addresses in."""
        CfnProjectIpAccessList(
            self._scope,
            "AtlasAccessList",
            profile=self._parameters.atlas_profile,
            project_id=self._parameters.atlas_project_id,
            access_list=[AccessListDefinition(cidr_block=cidr_block, comment=Aws.STACK_NAME)],
        )
{%- endif %}
{%- if network == "peering" %}

    def peer(self, vpc_id: str, cidr_block: str) -> str:
        """Ask for a peering with a VPC; return its id. Someone has to accept it."""
        peering = CfnNetworkPeering(
            self._scope,
            "AtlasPeering",
            profile=self._parameters.atlas_profile,
            project_id=self._parameters.atlas_project_id,
            container_id=self._parameters.atlas_container_id,
            accepter_region_name=Aws.REGION,
            aws_account_id=Aws.ACCOUNT_ID,
            vpc_id=vpc_id,
            route_table_cidr_block=cidr_block,
        )
        return peering.attr_connection_id
{%- endif %}
