"""Fixtures: shared bakes, and figures for the summary of the run."""

from collections.abc import Callable

import pytest

from tests.support.baking import BakedProject, bake

Baker = Callable[..., BakedProject]


@pytest.fixture(scope="session")
def baked(tmp_path_factory: pytest.TempPathFactory) -> Baker:
    """`baked(**answers)`: a project with those answers, baked once per session and read-only.

    A test that changes files bakes its own: `bake(tmp_path, **answers)`.
    """
    bakes: dict[frozenset[tuple[str, str]], BakedProject] = {}
    root = tmp_path_factory.mktemp("baked")

    def shared(**answers: str) -> BakedProject:
        key = frozenset(answers.items())
        if key not in bakes:
            bakes[key] = bake(root / str(len(bakes)), **answers)
        return bakes[key]

    return shared


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """`figure("1,000 invocations opened 0 connections")`: shown when the run is over."""
    return lambda text: record_property("figure", text)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    figures = [
        (report.nodeid.partition("::")[2], text)
        for report in terminalreporter.getreports("passed")
        for name, text in report.user_properties
        if name == "figure"
    ]
    if figures:
        terminalreporter.section("measured")
        for test, text in sorted(figures):
            terminalreporter.line(f"{test}: {text}")
