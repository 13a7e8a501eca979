"""Do once, in one of the processes of a test run, what all of them need."""

import hashlib
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from tests.support.baking import BakedProject

_LIMIT = 600.0  # seconds


class Once:
    """What came of each task, in a folder that all processes of a test run share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)

    def check(
        self, project: BakedProject, parts: tuple[str, ...], run: Callable[[], object]
    ) -> None:
        """Run a check, unless it has been for a project with the same files below the parts.

        `parts` are beginnings of paths, such as `src/`. Raises as `run` does.
        """
        self.run(f"{run.__name__}-{digest(project, parts)}", run)

    def news(self, project: BakedProject, parts: tuple[str, ...]) -> list[str]:
        """Return the files below the parts that no project which was asked about had as they are.

        What is named here is taken to be checked from now on, in all processes.
        """
        found = []
        for name, content in sorted(project.contents.items()):
            if name.startswith(parts):
                claimed = self._folder / f"{digest_of({name: content})}.claimed"
                with suppress(FileExistsError):
                    claimed.touch(exist_ok=False)
                    found.append(name)
        return found

    def run(self, name: str, task: Callable[[], object]) -> None:
        """Run the task of that name, or wait until another process has.

        Raises what the task raises, wherever its outcome is needed: as an AssertionError with its
        text where another process ran it.
        """
        outcome = self._folder / name
        try:
            outcome.with_suffix(".running").touch(exist_ok=False)
        except FileExistsError:
            self._wait_for(outcome)
            failure = outcome.read_text("utf-8")
            assert not failure, failure
        else:
            text = ""
            try:
                task()
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
    return digest_of({name: it for name, it in project.contents.items() if name.startswith(parts)})


def digest_of(contents: Mapping[str, bytes]) -> str:
    """Sum up files by their names and contents."""
    total = hashlib.sha256()
    for name, content in sorted(contents.items()):
        total.update(f"{name} {len(content)}\n".encode() + content)
    return total.hexdigest()[:16]
