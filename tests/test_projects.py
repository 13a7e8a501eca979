"""Each project, as baked: types, the project's own tests, its template."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Baker, MypyCache
from tests.support.baking import PAIRED, TIDY, combinations, stacks
from tests.support.here import SAM
from tests.support.mongod import Mongod, mongod_binary
from tests.support.once import Once

PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.slow
@pytest.mark.parametrize("answers", [*stacks(), *PAIRED])
def test_passes_the_type_checker(
    answers: dict[str, str], baked: Baker, mypy_cache: MypyCache, once: Once, long: bool
) -> None:
    """Those that between them have each file as it stands in any of them, or all by `--long`."""
    project = baked(**answers)
    if once.news(project, ("src/", "tests/", "infra/", "scripts/", "pyproject.toml")) or long:
        project.run(sys.executable, "-m", "mypy", env=mypy_cache(project))


@pytest.mark.slow
@pytest.mark.parametrize("answers", [*combinations(), *PAIRED])
def test_passes_its_own_tests(
    answers: dict[str, str], baked: Baker, mongod: Mongod, once: Once
) -> None:
    """All but those of what deploys it, which are below: the others don't know what that is."""
    project = baked(**answers)
    imported = {
        file for file in project.files if file.startswith(("src/", "tests/")) and file[-3:] == ".py"
    }
    imported |= {"scripts/mongodb.py", "scripts/build.py"}  # by conftest.py

    def own_tests() -> None:
        others = [f"--ignore={it}" for it in (INFRA_TESTS, TEMPLATE_TESTS)]
        command = [sys.executable, "-m", "pytest", "-q", *others]
        result = project.run(*command, env={"MONGODB_URI": mongod.uri})
        assert "skipped" not in result.stdout, result.stdout

    once.check(project, tuple(imported - {INFRA_TESTS, TEMPLATE_TESTS, CONFTEST}), own_tests)


@pytest.mark.parametrize("answers", combinations("layout", "auth"))
def test_its_tests_do_not_know_what_deploys_it(answers: dict[str, str], baked: Baker) -> None:
    """But for the path of the CDK's app."""
    sam, cdk = (baked(**answers, iac=iac).read(CONFTEST) for iac in ("sam", "cdk"))
    assert cdk.replace("sys.path.insert(0, str(PROJECT))\n", "") == sam


@pytest.mark.slow
@pytest.mark.parametrize(
    "answers", [it for it in [*stacks(), *PAIRED] if it.values[0]["iac"] == "sam"]
)
def test_passes_its_own_tests_of_the_template(answers: dict[str, str], baked: Baker) -> None:
    tests = runpy.run_path(str(baked(**answers).path / TEMPLATE_TESTS))
    found = [it for name, it in tests.items() if name.startswith("test_")]
    assert found
    for test in found:
        test()


CONFTEST = "tests/conftest.py"
TEMPLATE_TESTS = "tests/test_template.py"
INFRA_TESTS = "tests/test_infra.py"
CDK = [it for it in [*combinations(), *PAIRED] if it.values[0]["iac"] == "cdk"]

# Loading the CDK takes seconds, and a project's tests of its app less than one: a process runs
# those of many, from another folder, and forgets each project's own modules before the next.
RUN_INFRA_TESTS = """
import contextlib, io, json, sys
import pytest

results = {}
for folder in json.load(sys.stdin):
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        status = pytest.main(["-q", "-p", "no:cacheprovider", f"{folder}/tests/test_infra.py"])
    results[folder] = [int(status), output.getvalue()]
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(folder):
            del sys.modules[name]
json.dump(results, sys.stdout)
"""


@pytest.mark.slow
@pytest.mark.parametrize("answers", CDK)
def test_passes_its_own_tests_of_the_infrastructure(
    answers: dict[str, str], baked: Baker, mongod: Mongod, once: Once, shared: Path
) -> None:
    layout = answers["layout"]
    results = shared / f"infra-tests-{layout}.json"

    def run_infra_tests() -> None:
        alike = [it.values[0] for it in CDK if it.values[0]["layout"] == layout]
        done = subprocess.run(
            [sys.executable, "-B", "-c", RUN_INFRA_TESTS],
            input=json.dumps([str(baked(**one).path) for one in alike]),
            env={**os.environ, **TIDY, "MONGODB_URI": mongod.uri, "PATH": PATH},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        results.write_text(done.stdout, "utf-8")

    once.run(f"infra-tests-{layout}", run_infra_tests)
    status, output = json.loads(results.read_text("utf-8"))[str(baked(**answers).path)]
    assert status == 0, output
    assert " passed" in output
    assert "skipped" not in output


@pytest.mark.slow
def test_its_own_tests_find_mongod_on_the_path(baked: Baker, tmp_path: Path) -> None:
    (tmp_path / "mongod").symlink_to(mongod_binary())
    env = {"MONGODB_URI": "", "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    result = baked().run(sys.executable, "-m", "pytest", "-q", env=env)

    assert " passed" in result.stdout


def test_its_own_tests_say_what_to_do_without_mongodb(baked: Baker, tmp_path: Path) -> None:
    env = {"MONGODB_URI": "", "PATH": str(tmp_path)}  # neither mongod nor Docker there

    result = baked().run(sys.executable, "-m", "pytest", "-q", env=env, check=False)

    assert result.returncode == 1
    sentence = "No MongoDB here: set MONGODB_URI, put mongod on the PATH or start Docker."
    assert result.stdout.count(sentence) == 1
    assert "Traceback" not in result.stdout + result.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "answers",
    [*combinations("layout", "auth"), *combinations("network"), *combinations("api_auth")],
)
def test_is_a_valid_sam_template(answers: dict[str, str], baked: Baker) -> None:
    env = {"SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "us-east-1"}
    baked(**answers).run(SAM, "validate", "--lint", env=env)
