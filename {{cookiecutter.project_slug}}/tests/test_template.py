"""template.yaml asks Lambda for the Python and the processor that the build is for."""

import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
TEMPLATE = (PROJECT / "template.yaml").read_text("utf-8")


def test_python_is_the_one_of_the_build() -> None:
    python = (PROJECT / ".python-version").read_text("utf-8").strip()
    assert set(re.findall(r"Runtime: python(\S+)", TEMPLATE)) == {python}


def test_processor_is_the_one_of_the_build() -> None:
    makefile = (PROJECT / "src/Makefile").read_text("utf-8")
    [processor] = re.findall(r"build\.py.* (\w+)$", makefile, re.MULTILINE)
    assert set(re.findall(r"Architectures: \[(\w+)\]", TEMPLATE)) == {processor}
