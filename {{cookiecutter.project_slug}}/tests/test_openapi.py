"""openapi.json is what the functions' types say."""

import json
import runpy
from pathlib import Path

OPENAPI = Path(__file__).resolve().parent.parent / "scripts/openapi.py"


def test_is_current() -> None:
    script = runpy.run_path(str(OPENAPI))

    written = json.loads(script["FILE"].read_text("utf-8"))

    assert written == json.loads(script["text"]()), "run `make openapi`, and look at what changes"
