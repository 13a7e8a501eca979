"""Values that must not show: planted where secrets are, looked for everywhere else."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.support.execution_environment import (
    ExecutionEnvironment,
    Invocation,
    json_records,
)


class LeakError(AssertionError):
    """A secret, or in an answer a host's name, is where it mustn't be."""


class Canaries:
    """The secrets of a test run."""

    def __init__(self) -> None:
        self._spellings: dict[str, str] = {}  # what it is, by each way to write it

    def new(self, what: str) -> str:
        """Make a secret, which has characters that URLs, JSON and shells spell otherwise."""
        value = f"cn/{secrets.token_hex(12)}+%{secrets.token_hex(4)}"
        self.add(what, value)
        return value

    def add(self, what: str, value: str) -> None:
        """Look for this secret too."""
        for spelling in _spellings(value):
            self._spellings[spelling] = what

    def check(self, text: str, where: str) -> None:
        """LeakError names what is in the text, and not its value."""
        for spelling, what in self._spellings.items():
            if spelling in text:
                raise LeakError(f"{what} is in {where}")

    def check_folder(self, folder: Path) -> None:
        """Look into all files, also those that aren't text."""
        for file in folder.rglob("*"):
            if file.is_file():
                self.check(file.read_bytes().decode("latin-1"), str(file.relative_to(folder)))


def _spellings(value: str) -> Iterator[str]:
    yield value
    yield quote(value, safe="")
    yield json.dumps(value)[1:-1]
    yield repr(value)[1:-1]
    for shift in range(3):  # base64 of a text that has it somewhere
        encoded = base64.b64encode(b"." * shift + value.encode()).decode().rstrip("=")
        yield encoded[4:-2]


class WatchedEnvironment(ExecutionEnvironment):
    """An execution environment that raises LeakError when it logs or answers what it mustn't.

    It logs all there is, at DEBUG. Answers are searched for `hosts` too, servers' names and ports,
    and so are log lines of other levels, for names.
    """

    def __init__(
        self, *args: Any, canaries: Canaries, hosts: tuple[str, ...] = (), **options: Any
    ) -> None:
        super().__init__(*args, **options)
        # What a function's LoggingConfig (ApplicationLogLevel) sets, and Powertools' own.
        self.environment |= {"AWS_LAMBDA_LOG_LEVEL": "DEBUG", "POWERTOOLS_LOG_LEVEL": "DEBUG"}
        self._canaries = canaries
        self._hosts = hosts
        for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            if self.environment[name]:
                canaries.add(name, self.environment[name])

    def start(self) -> None:
        super().start()
        try:
            self._canaries.check(self.init_logs, "the logs of INIT")
            self._check_hosts(json_records(self.init_logs))
        except LeakError:
            self.stop()
            raise

    def invoke(self, event: Any) -> Invocation:
        invocation = super().invoke(event)
        self._canaries.check(invocation.logs, "the logs")
        answer = json.dumps([invocation.response, invocation.error])
        self._canaries.check(answer, "the answer")
        for host in self._hosts:
            if host in answer:
                raise LeakError(f"the host {host} is in the answer")
        self._check_hosts(invocation.records)
        return invocation

    def _check_hosts(self, records: list[dict[str, Any]]) -> None:
        for record in records:
            line = json.dumps(record)
            for host in self._hosts:
                if record.get("level") != "DEBUG" and not host.isdigit() and host in line:
                    raise LeakError(f"the host {host} is in the logs: {record.get('message')}")
