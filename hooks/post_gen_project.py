"""Removes the files that the answers don't ask for, then says what to do next.

Cookiecutter renders this file before it runs it, with whatever Python it has itself (3.8 or
later), in the new project's folder.
"""

import json
import shutil
import sys
from pathlib import Path

ANSWERS = json.loads(r"""{{ cookiecutter | tojson }}""")
PACKAGE = "src/" + ANSWERS["__package"]

# Every path that some projects don't have, and the answers of those that do.
VARIANTS = {
    f"{PACKAGE}/app.py": {"layout": ["single", "multi"]},
    f"{PACKAGE}/api.py": {"layout": ["multi", "multi-lambda"]},
    f"{PACKAGE}/client.py": {"layout": ["multi", "multi-lambda"]},
    f"{PACKAGE}/functions": {"layout": ["multi", "multi-lambda"]},
    f"{PACKAGE}/items.py": {"layout": ["multi", "multi-lambda"]},
    "scripts/new_function.py": {"layout": ["multi", "multi-lambda"]},
    "scripts/new_function.yaml": {"layout": ["multi-lambda"], "iac": ["sam"]},
    "tests/test_app.py": {"layout": ["single"]},
    "tests/test_items.py": {"layout": ["multi", "multi-lambda"]},
    "tests/test_rotation.py": {"auth": ["password"]},
    "template.yaml": {"iac": ["sam"]},
    "samconfig.toml": {"iac": ["sam"]},
    "src/Makefile": {"iac": ["sam"]},
    "tests/test_template.py": {"iac": ["sam"]},
    "cdk.json": {"iac": ["cdk"]},
    "package.json": {"iac": ["cdk"]},
    "package-lock.json": {"iac": ["cdk"]},
    "tests/test_infra.py": {"iac": ["cdk"]},
    "infra": {"iac": ["cdk"]},
    "infra/atlas.py": {"atlas_setup": ["stack"]},
    "infra/network.py": {"network": ["private-endpoint", "peering", "nat"]},
    "infra/vpc.py": {"network": ["private-endpoint", "peering", "nat"]},
    "infra/secrets_endpoint.py": {
        "auth": ["password"],
        "network": ["private-endpoint", "peering"],
    },
    "scripts/setup_atlas.py": {"atlas_setup": ["cli"]},
    "atlas-bootstrap.yaml": {"atlas_setup": ["stack"]},
    ".github": {"ci": ["github"]},
}

NEXT = """
Your project is in {project_slug}. Next:

  cd {project_slug}
  uv run pytest

README.md tells you how to deploy it.
"""

PUBLIC = """
WARNING: with network=public, Atlas has to admit every address on the internet,
         0.0.0.0/0. Use it for a trial, never for data that matters.
"""

for path, needed in VARIANTS.items():
    if any(ANSWERS[name] not in values for name, values in needed.items()):
        if Path(path).is_dir():
            shutil.rmtree(path)
        else:
            Path(path).unlink(missing_ok=True)  # its folder may be gone

sys.stdout.write(NEXT.format_map(ANSWERS))
if ANSWERS["network"] == "public":
    sys.stdout.write(PUBLIC)
