"""What runs in Lambda: an asset that scripts/build.py makes, without Docker."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import jsii
from aws_cdk import (
    AssetHashType,
    BundlingOptions,
    DockerImage,
    FileSystem,
    IgnoreMode,
    ILocalBundling,
)
from aws_cdk.aws_s3_assets import Asset
from constructs import Construct

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "scripts" / "build.py"
PYTHON = (ROOT / ".python-version").read_text("utf-8").strip()
ARCHITECTURE = "{{ cookiecutter.architecture }}"


@jsii.implements(ILocalBundling)
class Build:
    """Runs scripts/build.py where the CDK would start a container."""

    def try_bundle(self, output_dir: str, *_: Any, **__: Any) -> bool:
        """Fill the output folder, or end the program: what a container made wouldn't be this."""
        command = [sys.executable, str(BUILD), output_dir, ARCHITECTURE]
        done = subprocess.run(command, stdout=sys.stderr, check=False)  # noqa: S603
        if done.returncode:
            sys.exit("scripts/build.py failed, so there is nothing to deploy.")
        return True


def make_code(scope: Construct) -> Asset:
    """Return what runs in Lambda. It is built again when something changes that goes into it."""
    inputs = ["*", "!/src/", "!/src/**", "!/scripts/", "!/scripts/build.py", "__pycache__/"]
    inputs += ["!/.python-version", "!/uv.lock"]
    return Asset(
        scope,
        "Code",
        path=str(ROOT / "src"),
        asset_hash_type=AssetHashType.CUSTOM,
        asset_hash=FileSystem.fingerprint(
            str(ROOT), exclude=inputs, ignore_mode=IgnoreMode.GIT, extra_hash=ARCHITECTURE
        ),
        bundling=BundlingOptions(image=DockerImage.from_registry("unused"), local=Build()),
    )
