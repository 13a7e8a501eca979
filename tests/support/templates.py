"""Templates of projects, whatever they are written in."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, NamedTuple

from tests.support.baking import BakedProject
from tests.support.cloudformation import Plan, Template, expand, plan
from tests.support.parameters import REQUIRING, required

# What programs that use the CDK begin with: each project has modules of the same names.
_LOAD = """
import importlib, sys

def load(project, module):
    for name in [name for name in sys.modules if name.partition(".")[0] == "infra"]:
        del sys.modules[name]
    sys.path.insert(0, project)
    importlib.invalidate_caches()
    try:
        return importlib.import_module(module)
    finally:
        sys.path.remove(project)
"""
# Loading the CDK takes seconds and a stack a tenth of one, so one process synthesises many.
_SYNTHESISE = """
import json
from pathlib import Path

for project, settings, folder in json.load(sys.stdin):
    context = json.loads(Path(project, "cdk.json").read_text("utf-8"))["context"]
    context["default"] |= settings
    context["aws:cdk:bundling-stacks"] = []
    load(project, "infra.app").make_app(context=context, outdir=folder).synth()
"""


class Synthesis(NamedTuple):
    """A project with iac=cdk, its settings, and the folder that its template goes to."""

    project: BakedProject
    settings: Mapping[str, str]
    folder: Path

    @property
    def template(self) -> Template:
        """The template, once it is synthesised."""
        name = f"{self.project.answers['project_slug']}.template.json"
        template: Template = json.loads((self.folder / name).read_text("utf-8"))
        return template


def sam_template(project: BakedProject) -> Template:
    """Return the template of a project with iac=sam, after the SAM transform."""
    return expand(project.parse("template.yaml"))


def cdk_template(project: BakedProject, folder: Path, **settings: str) -> Template:
    """Synthesise a project with iac=cdk into the folder, as for a first deploy, and return it."""
    settings = required(*(project.answers[it] for it in REQUIRING)) | settings
    synthesis = Synthesis(project, settings, folder)
    synthesise([synthesis])
    return synthesis.template


def set_up(project: BakedProject, environment: str, **settings: str | int) -> None:
    """Write settings of an environment where `make deploy` writes them."""
    if project.answers["iac"] == "sam":
        values = {name: str(it) for name, it in settings.items()}
        program = (
            f"from environment import Environment; it = Environment({environment!r}, '');"
            f"it.settings |= {values}; it.save()"
        )
        project.run(sys.executable, "-c", f"import sys; sys.path.append('scripts'); {program}")
        return
    app = project.parse("cdk.json")
    app["context"][environment] |= settings
    (project.path / "cdk.json").write_text(json.dumps(app, indent=2), "utf-8")


def first_deploy(project: BakedProject, folder: Path) -> Plan:
    """Return what the first deploy of a project makes. The folder is for the CDK."""
    if project.answers["iac"] == "cdk":
        return plan(cdk_template(project, folder))
    values = required(*(project.answers[it] for it in REQUIRING))
    return plan(sam_template(project), **values)


def synthesise(syntheses: Iterable[Synthesis]) -> None:
    """Synthesise each app into its folder, without building the code.

    There is no AWS account: no credentials, no configuration, no Region. AssertionError with what
    the CDK says if it fails, as it does when cdk-nag or its own validation finds fault.
    """
    jobs = [(str(it.project.path), it.settings, str(it.folder)) for it in syntheses]
    done = run_cdk(_SYNTHESISE, json.dumps(jobs))
    assert done.returncode == 0, done.stdout + done.stderr


def run_cdk(program: str, text: str) -> subprocess.CompletedProcess[str]:
    """Run a Python program that uses the CDK, away from any AWS account.

    It has `load(project, module)`, which imports a module of a project anew.
    """
    return subprocess.run(
        [sys.executable, "-B", "-c", _LOAD + program],
        input=text,
        env=_no_account(),
        capture_output=True,
        text=True,
        check=False,
    )


@contextmanager
def cdk_process(program: str) -> Iterator[Callable[[Any], Any]]:
    """Run such a program for as long as it is asked: for each line of JSON it prints another.

    Asking it raises an AssertionError with what it says if it has ended.
    """
    with (
        TemporaryFile("w+", encoding="utf-8") as errors,
        subprocess.Popen(
            [sys.executable, "-B", "-c", _LOAD + program],
            env=_no_account(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        requests, answers = process.stdin, process.stdout
        assert requests
        assert answers

        def ask(request: Any) -> Any:
            print(json.dumps(request), file=requests, flush=True)
            if not (line := answers.readline()):
                errors.seek(0)
                raise AssertionError(errors.read())
            return json.loads(line)

        yield ask
        requests.close()


def _no_account() -> dict[str, str]:
    environment = {name: it for name, it in os.environ.items() if not name.startswith("AWS_")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    return environment
