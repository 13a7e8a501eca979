"""The figures that people read are those that were measured."""

import pytest

from benchmarks import report
from tests.support.baking import TEMPLATE

RESULTS = TEMPLATE / "benchmarks/results"


def test_tables_are_of_the_results() -> None:
    assert (RESULTS / "README.md").read_text("utf-8") == report.render(RESULTS)


def test_the_readme_quotes_the_results() -> None:
    [block] = report.BLOCK.findall((TEMPLATE / "README.md").read_text("utf-8"))
    assert block == report.figures(RESULTS), "run `make bench`"


@pytest.mark.parametrize("name", report.PLOTS)
def test_there_is_a_plot(name: str) -> None:
    assert (RESULTS / f"{name}.svg").read_text("utf-8").startswith("<?xml")
