"""The CDK app. The CLI runs it, as cdk.json says."""

import tomllib
from pathlib import Path
from typing import Any

from aws_cdk import App, CliCredentialsStackSynthesizer, Environment, Validations
from cdk_nag import AwsSolutionsChecks

from infra.stack import ServiceStack

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))


def make_app(**options: Any) -> App:
    """Return the app, which fails to synthesise if cdk-nag finds fault. Options are App's.

    The CLI deploys with the credentials it is given, not with the roles of the bootstrap, which by
    default may do everything. `--context stack=…` names another stack than the usual one.
    """
    app = App(**options)
    ServiceStack(
        app,
        "{{ cookiecutter.project_slug }}",
        stack_name=app.node.try_get_context("stack"),
        synthesizer=CliCredentialsStackSynthesizer(
            bucket_prefix="{{ cookiecutter.project_slug }}/",
        ),
        description=PROJECT["project"]["description"],
        env=Environment(region="{{ cookiecutter.aws_region }}"),
    )
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return app


if __name__ == "__main__":
    make_app().synth()
