"""Removes the files that the answers don't ask for, then says what to do next.

Those are files that this bake has written, no other: pre_gen_project.py has left a list of them,
and what was in their places before, which comes back.

Cookiecutter renders this file before it runs it, with whatever Python it has itself (3.8 or
later), in the project's folder.
"""

import json
import shutil
import sys
from pathlib import Path

ANSWERS = json.loads(r"""{{ cookiecutter | tojson }}""")

ASIDE = Path(".cookiecutter-aside")
BAKE = json.loads((ASIDE / "bake.json").read_text("utf-8"))

NEXT = """
Your project is in {project_slug}. Next:

  cd {project_slug}
  uv run pytest

README.md tells you how to deploy it.
"""

PUBLIC = """
WARNING: with network=public, Atlas has to allow every address on the internet,
         0.0.0.0/0. Use it for trials, never for data that matters.
"""

NOTE = "\nWARNING: {}\n"

for path in BAKE["written"] + BAKE["aside"]:
    if Path(path).is_file():
        Path(path).unlink()
for path in BAKE["aside"]:
    shutil.move(str(ASIDE / "files" / path), path)
shutil.rmtree(ASIDE)
for folder in reversed(BAKE["folders"]):  # what is deeper comes first
    if Path(folder).is_dir() and not any(Path(folder).iterdir()):
        Path(folder).rmdir()

sys.stdout.write(NEXT.format_map(ANSWERS))
if ANSWERS["network"] == "public":
    sys.stdout.write(PUBLIC)
for note in BAKE["notes"]:
    sys.stdout.write(NOTE.format(note))
