"""Fixtures: shared bakes and their templates, and figures for the summary of the run."""

import hashlib
import json
import os
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.atlas import Atlas
from tests.support.baking import CORE, PAIRED, BakedProject, bake, stacks
from tests.support.cloudformation import Plan, Template, plan
from tests.support.cpu_share import why_not
from tests.support.local_aws import LocalAws
from tests.support.mongod import Mongod
from tests.support.once import Once
from tests.support.parameters import scenarios
from tests.support.templates import Synthesis, sam_template, synthesise

# The `make` that runs the tests is none of those that the tests run.
for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
    os.environ.pop(name, None)

Baker = Callable[..., BakedProject]
Expand = Callable[..., Template]
DeployOf = Callable[[str, dict[str, str]], Plan]
MypyCache = Callable[[BakedProject], dict[str, str]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--long", action="store_true", help="run those marked `long`, and more of some"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--long"):
        left_out = [it for it in items if it.get_closest_marker("long")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [it for it in items if it not in left_out]


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    """Whether there is time for what shows little more."""
    return bool(request.config.getoption("--long"))


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the worker processes of the test run share: theirs are side by side in it."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def once(shared: Path) -> Once:
    """What one of the worker processes does for all."""
    return Once(shared / "once")


@pytest.fixture(scope="session")
def baked(shared: Path, once: Once) -> Baker:
    """`baked(**answers)`: a project with those answers, baked once per run and read-only.

    A test that changes files bakes its own: `bake(tmp_path, **answers)`.
    """
    bakes: dict[str, BakedProject] = {}

    def get(**answers: str) -> BakedProject:
        key = _digest(answers)
        if key not in bakes:
            folder = shared / "baked" / key
            record = folder.with_suffix(".json")
            once.run(f"bake-{key}", partial(_bake, folder, record, answers))
            path, given = json.loads(record.read_text("utf-8"))
            bakes[key] = BakedProject(Path(path), given)
        return bakes[key]

    return get


def _digest(answers: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(answers, sort_keys=True).encode()).hexdigest()[:16]


def _bake(folder: Path, record: Path, answers: dict[str, str]) -> None:
    """Bake, and leave a record of where and with which answers."""
    project = bake(folder, **answers)
    record.write_text(json.dumps([str(project.path), dict(project.answers)]), "utf-8")


@pytest.fixture(scope="session")
def expanded(baked: Baker, once: Once, shared: Path, syntheses: Callable[..., Synthesis]) -> Expand:
    """`expanded(**answers)`: what CloudFormation makes the stack of, with any of the core answers.

    That is SAM's template after its transform, or what the CDK synthesises for a first deploy.
    """
    templates: dict[str, Template] = {}

    def get(**answers: str) -> Template:
        key = json.dumps(answers, sort_keys=True)
        if key not in templates:
            project = baked(**answers)
            if project.answers["iac"] == "sam":
                record = shared / f"expanded-{_digest(answers)}.json"
                once.run(record.stem, lambda: record.write_text(json.dumps(sam_template(project))))
                templates[key] = json.loads(record.read_text("utf-8"))
            else:
                templates[key] = syntheses("new", answers).template
        return templates[key]

    return get


@pytest.fixture(scope="session")
def deploy_of(expanded: Expand, syntheses: Callable[..., Synthesis]) -> DeployOf:
    """`deploy_of("existing", answers)`: what a deploy makes, with the values of a scenario."""

    def get(scenario: str, answers: dict[str, str]) -> Plan:
        if answers.get("iac") == "cdk":
            return plan(syntheses(scenario, answers).template)
        return plan(expanded(**answers), **scenarios(answers)[scenario])

    return get


@pytest.fixture(scope="session")
def syntheses(baked: Baker, once: Once, shared: Path) -> Callable[..., Synthesis]:
    """`syntheses("new", answers)`: the CDK's template for one of `scenarios`.

    The first that is asked for of a scenario has them all synthesised, in one process.
    """

    def synthesis(scenario: str, project: BakedProject) -> Synthesis:
        name = "-".join(project.answers[name] for name in (*CORE, "api_auth", "snapstart"))
        settings = scenarios(project.answers)[scenario]
        return Synthesis(project, settings, shared / "cdk.out" / scenario / name)

    def get(scenario: str, answers: dict[str, str]) -> Synthesis:
        def synthesise_all() -> None:
            answers = (it.values[0] for it in [*stacks(), *PAIRED])
            every = (baked(**it) for it in answers if it["iac"] == "cdk")
            with_it = (project for project in every if scenario in scenarios(project.answers))
            synthesise([synthesis(scenario, project) for project in with_it])

        once.run(f"synthesise-{scenario}", synthesise_all)
        one = synthesis(scenario, baked(**answers))

        def synthesise_it() -> None:
            if not one.folder.exists():  # it isn't one of `stacks`
                synthesise([one])

        once.run(f"synthesise-{scenario}-{one.folder.name}", synthesise_it)
        return one

    return get


@pytest.fixture(scope="session")
def mypy_cache(
    shared: Path, once: Once, baked: Baker, tmp_path_factory: pytest.TempPathFactory
) -> MypyCache:
    """`mypy_cache(project)`: what mypy knows of the libraries, as a variable for its environment.

    It is learned once for each of the settings that projects have, since mypy begins anew where
    one of them differs: the CDK's library takes a minute. Each worker process has copies, since
    projects have modules of the same names.
    """
    caches: dict[str, str] = {}

    def get(project: BakedProject) -> dict[str, str]:
        settings = _mypy_settings(project)
        if settings not in caches:
            own = caches[settings] = str(tmp_path_factory.mktemp("mypy"))
            for layout in ("web", "multi"):
                example = baked(layout=layout, iac="cdk", atlas_setup="stack", auth="password")
                if _mypy_settings(example) == settings:
                    learned = shared / f"mypy-{layout}"
                    command = (sys.executable, "-m", "mypy")
                    learn = partial(example.run, *command, env={"MYPY_CACHE_DIR": str(learned)})
                    once.run(learned.name, learn)
                    shutil.copytree(learned, own, dirs_exist_ok=True)
        return {"MYPY_CACHE_DIR": caches[settings]}

    return get


def _mypy_settings(project: BakedProject) -> str:
    """The settings that its cache depends on: not what it looks at, nor those of single modules."""
    settings = tomllib.loads(project.read("pyproject.toml"))["tool"]["mypy"]
    left_out = ("files", "mypy_path", "overrides")
    return json.dumps({name: it for name, it in settings.items() if name not in left_out})


@pytest.fixture(scope="session")
def mongod() -> Iterator[Mongod]:
    """A mongod with authentication."""
    with Mongod(auth=True) as server:
        yield server


@pytest.fixture(scope="session")
def cpu_shares() -> None:
    """Skips the test where a function's share of CPU can't be had."""
    if reason := why_not():
        pytest.skip(reason)


@pytest.fixture(scope="module")
def atlas() -> Iterator[Atlas]:
    """What stands in for Atlas, before a mongod."""
    with Atlas() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def aws(atlas: Atlas) -> Iterator[LocalAws]:
    """A local AWS, whose functions find that Atlas."""
    with LocalAws(atlas.environment) as account:
        yield account


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
