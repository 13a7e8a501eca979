"""The CDK app. The CLI runs it, as cdk.json says."""

import tomllib
from typing import Any

from aws_cdk import App, CliCredentialsStackSynthesizer, Environment, Validations
from cdk_nag import AwsSolutionsChecks

from infra.code import ROOT
from infra.settings import read_settings
from infra.stack import ServiceStack

REGION = "{{ cookiecutter.aws_region }}"


def make_app(**options: Any) -> App:
    """Return the app, which fails to synthesise if cdk-nag finds fault. Options are App's."""
    app = App(**options)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    settings = read_settings(app.node)
    ServiceStack(
        app,
        project["name"],
        settings,
        stack_name=settings.stack_name,
        # Deploys as its caller, not by the roles of the bootstrap, which may do everything.
        synthesizer=CliCredentialsStackSynthesizer(bucket_prefix=f"{project['name']}/"),
        description=project["description"],
        env=Environment(region=REGION),
    )
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return app


if __name__ == "__main__":
    make_app().synth()
