"""Whatever renders the template, the same answers yield the same project, to the byte."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Baker
from tests.support.baking import PROMPTS, TEMPLATE, BakedProject, bake, bake_typed, combinations

SAM = TEMPLATE / ".tools/sam/bin/sam"
PROSE = {"project_name": 'Müller & "Söhne"', "description": "50 % off: it's \\ ${new} # 1"}


def test_typed_and_given(tmp_path: Path) -> None:
    typed = bake_typed(tmp_path / "typed", **PROSE)
    given = bake(tmp_path / "given", **PROSE)
    assert typed.contents == given.contents


def test_the_answers_of_a_project_make_it_again(tmp_path: Path) -> None:
    """As an update gives them all back, the derived ones too."""
    once = bake(tmp_path / "once", **PROSE, layout="multi", auth="password")
    assert set(once.answers) == set(PROMPTS)
    again = bake(tmp_path / "again", **once.answers)
    assert again.contents == once.contents


@pytest.mark.slow
@pytest.mark.parametrize("answers", combinations("layout", "auth"))
def test_sam_init(answers: dict[str, str], baked: Baker, tmp_path: Path) -> None:
    subprocess.run(
        [
            *(SAM, "init", "--location", TEMPLATE, "--no-input", "--output-dir", tmp_path / "sam"),
            *("--extra-context", json.dumps(answers)),
        ],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path), "SAM_CLI_TELEMETRY": "0"},
        check=True,
    )
    project = baked(**answers)
    assert BakedProject(tmp_path / "sam" / project.path.name, {}).contents == project.contents
