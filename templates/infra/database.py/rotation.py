{%- set host = {
  "public": "settings.cluster_host",
  "nat": "settings.cluster_host",
  "peering": 'settings.cluster_host.replace("-pri.", ".")',
  "private-endpoint": 'settings.cluster_host.replace("-pl-0.", ".").replace("-pl-0-lb.", ".")',
}[cookiecutter.network] -%}
{%- set public = {
  "public": "", "nat": "",
  "peering": ", with the cluster's public host",
  "private-endpoint": ", with the cluster's public host",
}[cookiecutter.network] -%}
ROTATION = Acknowledgment(
    id="AwsSolutions::AwsSolutions-SMG4",
    reason="Secrets Manager rotates it without a function, where RotationAdminSecretArn is given.",
)
ANY_PASSWORD = Acknowledgment(
    id="AwsSolutions::AwsSolutions-IAM5[Resource::*]",
    reason="GetRandomPassword has no resources to name.",
)


def rotation_fields(settings: Settings) -> dict[str, str]:
    """Return what a secret has to hold for a rotation{{ public }}.

    https://docs.aws.amazon.com/secretsmanager/latest/userguide/mes-partner-MongoDBAtlasDatabaseUser.html
    """
    return {
        "clusterUrl": {{ host }},
        "databaseName": "admin",
        "groupId": settings.atlas_project_id,
    }
