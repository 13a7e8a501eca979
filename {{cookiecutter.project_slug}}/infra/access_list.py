"""The way to Atlas: the internet, from addresses that nobody knows beforehand."""

from aws_cdk import Stack
from awscdk_resources_mongodbatlas import AccessListDefinition, CfnProjectIpAccessList
from constructs import Construct

from infra.settings import Settings


class OpenAccessList(Construct):
    """WARNING: the access list has the whole internet. For trials only."""

    def __init__(self, stack: Stack, settings: Settings) -> None:
        super().__init__(stack, "OpenAccessList")
        CfnProjectIpAccessList(
            self,
            "AtlasAccessList",
            profile=settings.atlas_profile,
            project_id=settings.atlas_project_id,
            access_list=[AccessListDefinition(cidr_block="0.0.0.0/0", comment=stack.stack_name)],
        )
