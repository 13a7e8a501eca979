"""`make demo`: bake with the defaults, deploy to a local AWS, call the API, show the connections.

    python -m tests.demo [--svg FILE]

Everything runs on the loopback interface and ends with the demo. Exits with 1, the failed step and
the last lines of its log, if a step fails.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tests.support.atlas import Atlas
from tests.support.baking import PROMPTS, TEMPLATE
from tests.support.here import HERE, SAM, UV
from tests.support.local_aws import LocalAws

ENDPOINT_SERVICE = "com.amazonaws.vpce.us-east-1.vpce-svc-0123456789abcdef0"
CALLS = 20
LOG_LINES = 20


class StepError(Exception):
    """A command of a step failed; the message is the end of its output."""


class Demo:
    """Runs the steps and tells about them on the console."""

    def __init__(self, console: Console, folder: Path) -> None:
        self.console = console
        self.folder = folder

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Show that the step runs, then how long it took, or how it failed."""
        start = time.monotonic()
        try:
            with self.console.status(title):
                yield
        except Exception as error:
            self.console.print(f"[red]✗[/] {title}")
            self.console.print(Text("\n".join(str(error).splitlines()[-LOG_LINES:]), style="dim"))
            raise SystemExit(1) from error
        line = Text.from_markup(f"[green]✓[/] {title}")
        line.pad_right(64 - len(line.plain))
        self.console.print(line + Text(f"{time.monotonic() - start:6.1f} s", style="dim"))

    def run(self) -> None:
        with ExitStack() as stack:
            with self.step("Bake with the default answers"):
                # The dependencies are bytecode, which only the Python that it is for can run.
                here = f"python_version={HERE['python_version']}"
                command = [sys.executable, "-m", "cookiecutter", str(TEMPLATE), "--no-input", here]
                run([*command, "--output-dir", str(self.folder)], self.folder)
                [project] = self.folder.iterdir()
            with self.step("Start MongoDB, behind a stand-in for Atlas: SRV, TLS, IAM"):
                atlas = stack.enter_context(Atlas())
            with self.step("Start a local AWS"):
                aws = stack.enter_context(LocalAws(atlas.environment))
            with self.step("sam build"):
                run([SAM, "build"], project, aws.environment)
            with self.step("sam deploy"):
                command = [SAM, "deploy", "--no-confirm-changeset", "--parameter-overrides"]
                command += [f"ClusterHost={atlas.host}", f"EndpointServiceName={ENDPOINT_SERVICE}"]
                run(command, project, aws.environment)
            outputs = aws.outputs(project.name)
            with self.step("Make the execution role a database user"):
                role = outputs["ExecutionRoleArn"]
                atlas.add_role(role, *aws.credentials_of(role), PROMPTS["database_name"])
            with self.step(f"Call the API {CALLS} times, signed with SigV4"):
                created = [atlas.mongod.connections_created()]
                answers = Counter[tuple[int, str]]()
                for _ in range(CALLS):
                    response = aws.call(outputs["ApiUrl"], "GET", "/")
                    answers[response.status, response.text] += 1
                    created.append(atlas.mongod.connections_created())
            self.report(atlas, aws, outputs, answers, created)
            if {status for status, _ in answers} != {200}:
                raise SystemExit(1)

    def report(
        self,
        atlas: Atlas,
        aws: LocalAws,
        outputs: dict[str, str],
        answers: Counter[tuple[int, str]],
        created: list[int],
    ) -> None:
        """Print what came of it. `created`: the server's count before the calls, and after each."""
        function = outputs["FunctionName"]
        clients = atlas.mongod.clients(app_name=function)
        pooled = sum(client.user is not None for client in clients)
        before, first, *_, last = created
        opened = f"{first - before} by the first call, {last - first} by the {CALLS - 1} after it"
        table = Table.grid(padding=(0, 3))
        for label, value in [
            ("API", outputs["ApiUrl"]),
            *(
                ("answers", f"{count} times {status} {text}")
                for (status, text), count in answers.items()
            ),
            ("invocations", str(answers.total())),
            ("execution environments", str(len(aws.workers(function)))),
            ("connections opened", opened),
            ("connections held", f"{pooled} by the pool, {len(clients) - pooled} by the monitor"),
        ]:
            table.add_row(Text(label, style="bold"), value)
        self.console.print()
        self.console.print(table)


def run(command: list[str], folder: Path, environment: Mapping[str, str] | None = None) -> None:
    """Run a command in the folder, with the template's uv on its path.

    Raises:
        StepError: it failed.
    """
    result = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **(environment or {}), **UV},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode:
        raise StepError(result.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description="Deploy to a local AWS and show the connections.")
    parser.add_argument("--svg", type=Path, help="also save what is printed as a picture")
    arguments = parser.parse_args()
    console = Console(record=True, width=100 if arguments.svg else None, highlight=False)
    console.print(
        Text.from_markup("[bold]cookiecutter-atlas-lambda[/], end to end on this machine\n")
    )
    with tempfile.TemporaryDirectory() as folder:
        Demo(console, Path(folder)).run()
    if arguments.svg:
        console.save_svg(str(arguments.svg), title="make demo")


if __name__ == "__main__":
    main()
