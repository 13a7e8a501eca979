"""Fixtures: shared bakes."""

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
