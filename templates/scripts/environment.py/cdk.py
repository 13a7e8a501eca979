"""An environment of cdk.json, and the CDK CLI that deploys it."""

import json
from pathlib import Path

import boto3
from atlas import Failure, run

FILE = Path(__file__).parent.parent / "cdk.json"
SLUG, REGION = "{{ cookiecutter.project_slug }}", "{{ cookiecutter.aws_region }}"
ENVIRONMENTS = ("default", "staging", "production")
PREPARES = "CDK bootstrap"
TOOLS = [["npx", "cdk", "--version"]]


class Environment:
    """The stack's name and Region, the Atlas project, and the stack's settings."""

    def __init__(self, name: str, region: str) -> None:
        self.name, self.where = name, f'{FILE.name} under "{name}"'
        context = json.loads(FILE.read_text("utf-8"))["context"]
        found = context.get(name, {})
        self.settings = {key: value for key, value in found.items() if value != ""}
        self.stack = self.settings.setdefault(
            "StackName", f"{SLUG}-{name}".removesuffix("-production")
        )
        if region not in ("", REGION):
            here = "infra/app.py and scripts/environment.py"
            raise Failure(f"The stacks are in {REGION}: {here} say so.")
        self.region = self.usual_region = REGION
        self.project = str(context.get(f"atlas:{name}", ""))
        self.account = ""

    def save(self) -> str:
        """Write what is known now, if that changes anything."""
        app = json.loads(FILE.read_text("utf-8"))
        empty = dict.fromkeys(app["context"].get(self.name, {}), "")
        app["context"][self.name] = empty | self.settings
        app["context"][f"atlas:{self.name}"] = self.project
        text = json.dumps(app, indent=2, ensure_ascii=False) + "\n"
        if text != FILE.read_text("utf-8"):
            FILE.write_text(text, "utf-8")
        return f"in {self.where}: commit it"

    def prepare(self) -> str:
        """Prepare the account and the Region for the CDK, once."""
        ssm = boto3.client("ssm", region_name=self.region)
        try:
            ssm.get_parameter(Name="/cdk-bootstrap/hnb659fds/version")
        except ssm.exceptions.ParameterNotFound:
            run("npx", "cdk", "bootstrap", "--context", f"environment={self.name}")
            return "done"
        return "there already"

    def deploy(self) -> None:
        """Build and deploy."""
        context = ["--context", f"environment={self.name}"]
        run("npx", "cdk", "deploy", "--require-approval", "never", *context)

    def destroy(self) -> None:
        """Delete the stack."""
        run("npx", "cdk", "destroy", "--force", "--context", f"environment={self.name}")
