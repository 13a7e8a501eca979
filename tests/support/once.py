"""Run a check once for all the projects that are the same in what it looks at."""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.baking import BakedProject

_LIMIT = 600.0  # seconds


class Once:
    """What came of each check, in a folder that all processes of a test run share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)

    def check(
        self, project: BakedProject, parts: tuple[str, ...], run: Callable[[], object]
    ) -> None:
        """Run it, unless it has been run for a project with the same files below the parts.

        `parts` are beginnings of paths, such as `src/`. Raises what `run` raises, in every test
        that the outcome is for: as an AssertionError with its text where another test ran it.
        """
        outcome = self._folder / f"{run.__name__}-{digest(project, parts)}"
        try:
            outcome.with_suffix(".running").touch(exist_ok=False)
        except FileExistsError:
            self._wait_for(outcome)
            failure = outcome.read_text("utf-8")
            assert not failure, failure
        else:
            text = ""
            try:
                run()
            except BaseException as error:
                text = str(error) or repr(error)
                raise
            finally:
                written = outcome.with_suffix(".written")
                written.write_text(text, "utf-8")
                written.rename(outcome)  # all at once, since others wait for it

    def _wait_for(self, outcome: Path) -> None:
        deadline = time.monotonic() + _LIMIT
        while not outcome.exists():
            assert time.monotonic() < deadline, f"{outcome.name} is not through yet"
            time.sleep(0.1)


def digest(project: BakedProject, parts: tuple[str, ...]) -> str:
    """Sum up the names and the contents of the files whose paths begin with one of the parts."""
    total = hashlib.sha256()
    for name, content in sorted(project.contents.items()):
        if name.startswith(parts):
            total.update(f"{name} {len(content)}\n".encode() + content)
    return total.hexdigest()[:16]
