"""What runs in Lambda: an asset that scripts/build.py makes, without Docker."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import jsii
from aws_cdk import BundlingOptions, DockerImage, IgnoreMode, ILocalBundling
from aws_cdk import aws_lambda as lambda_

ROOT = Path(__file__).resolve().parent.parent
PYTHON = (ROOT / ".python-version").read_text("utf-8").strip()
ARCHITECTURE = "{{ cookiecutter.architecture }}"
# The code is built again when one of these changes.
INPUTS = ["*", "!/src/", "!/src/**", "!/scripts/", "!/scripts/build.py", "__pycache__/"]
INPUTS += ["!/.python-version", "!/uv.lock"]


@jsii.implements(ILocalBundling)
class Build:
    """Runs scripts/build.py where the CDK would start a container."""

    def try_bundle(self, output_dir: str, *_: Any, **__: Any) -> bool:
        """Fill the output folder, or end the program: what a container made wouldn't be this."""
        command = [sys.executable, str(ROOT / "scripts/build.py"), output_dir, ARCHITECTURE]
        if subprocess.run(command, stdout=sys.stderr, check=False).returncode:  # noqa: S603
            sys.exit("scripts/build.py failed, so there is nothing to deploy.")
        return True


def make_code() -> lambda_.Code:
    """Return the functions' code."""
    unused = DockerImage.from_registry("unused")
    bundling = BundlingOptions(image=unused, command=[ARCHITECTURE], local=Build())
    return lambda_.Code.from_asset(
        str(ROOT), exclude=INPUTS, ignore_mode=IgnoreMode.GIT, bundling=bundling
    )
