"""What the build makes for Lambda's Python and processor, whatever this machine's are.

Also whatever people have set up here for uv and Python, and wherever the project stands.
"""

import hashlib
import io
import os
import re
import shutil
import stat
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import pytest

from tests.conftest import Baker
from tests.lab.deployed import request
from tests.support.baking import OPTIONS, TEMPLATE, BakedProject, bake
from tests.support.execution_environment import ExecutionEnvironment
from tests.support.here import HERE, NEEDS_A_SHELL, SAM, UV, build
from tests.support.mongod import Mongod

pytestmark = pytest.mark.slow

MACHINES = {"x86_64": 62, "arm64": 183}  # e_machine in an ELF header
UNCHECKED_HASH = 0b01  # PEP 552's flags in a .pyc
OTHER_PYTHON = next(it for it in OPTIONS["python_version"] if it != HERE["python_version"])
OTHER_PROCESSOR = next(it for it in OPTIONS["architecture"] if it != HERE["architecture"])
TAG = f"cpython-{HERE['python_version'].replace('.', '')}"
OTHER_TAG = f"cpython-{OTHER_PYTHON.replace('.', '')}"
PLATFORM = f"Python {HERE['python_version']} on {HERE['architecture']}"


def refused(project: BakedProject, output: Path, **environment: str) -> str:
    """Run a build that fails; return what it says, which is no traceback."""
    command = (sys.executable, "scripts/build.py", str(output), project.answers["architecture"])
    done = project.run(*command, env=UV | environment, check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    return done.stderr


def machines(folder: Path) -> set[int]:
    """The processors of all extension modules."""
    return {struct.unpack_from("<H", it.read_bytes(), 18)[0] for it in folder.rglob("*.so")}


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Mode and content of all that is in a folder, by its path."""
    return {
        path.relative_to(folder).as_posix(): (
            path.lstat().st_mode,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in folder.rglob("*")
    }


def elf(processor: str) -> bytes:
    """The header of an extension module."""
    return b"\x7fELF" + bytes(14) + struct.pack("<H", MACHINES[processor])


class Index:
    """A package index on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def wheel(
        self, name: str, tag: str = "py3-none-any", files: Mapping[str, bytes] | None = None
    ) -> None:
        """Publish version 1.0 of a package, with a module of its name or with these files."""
        about = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr(f"{name}-1.0.dist-info/METADATA", about)
            archive.writestr(f"{name}-1.0.dist-info/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n")
            archive.writestr(f"{name}-1.0.dist-info/RECORD", "")
            for file, text in (files or {f"{name}.py": b""}).items():
                archive.writestr(file, text)
        self.publish(name, f"{name}-1.0-{tag}.whl", content.getvalue())

    def publish(self, name: str, file: str, content: bytes, *, hashed: bool = True) -> None:
        """Put a file there, and on the index's page."""
        folder = self.folder / name
        folder.mkdir(parents=True)
        (folder / file).write_bytes(content)
        sha256 = f"#sha256={hashlib.sha256(content).hexdigest()}" if hashed else ""
        (folder / "index.html").write_text(f'<a href="{file}{sha256}">{file}</a>')

    def project(self, folder: Path, *dependencies: str, **answers: str) -> BakedProject:
        """Bake one that depends on these packages only, by this index."""
        project = bake(folder, **answers)
        pyproject = project.path / "pyproject.toml"
        text = re.sub(
            r"dev = \[.*?^\]", "dev = []", project.read(pyproject.name), flags=re.M | re.S
        )
        text = re.sub(
            r"^dependencies = \[.*?^\]",
            f"dependencies = {[*dependencies]}",
            text,
            flags=re.M | re.S,
        )
        index = f'[[tool.uv.index]]\nurl = "{self.folder.as_uri()}"\ndefault = true\n'
        pyproject.write_text(f"{text}\n{index}", "utf-8")
        (project.path / "uv.lock").unlink()
        return project


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return Index(tmp_path / "index")


@pytest.mark.parametrize(
    ("python", "processor"), [*product(OPTIONS["python_version"], OPTIONS["architecture"])]
)
def test_wheels_are_lambdas(python: str, processor: str, tmp_path: Path) -> None:
    """Those of the lock, all of them, in their versions, and nothing else."""
    project = bake(tmp_path, python_version=python, architecture=processor)
    code = tmp_path / "code"
    build(project, code)

    assert machines(code) == {MACHINES[processor]}
    tag = f"cpython-{python.replace('.', '')}-"
    for extension in code.rglob("*.so"):
        assert tag in extension.name or ".abi3." in extension.name
    installed = {
        re.sub("[-_.]+", "-", name).lower(): version
        for name, version in (folder.stem.split("-") for folder in code.glob("*.dist-info"))
    }
    command = ["uv", "export", "--quiet", "--no-dev", "--no-emit-project", "--frozen"]
    locked = project.run(*command, env=UV).stdout
    assert installed == dict(re.findall(r"(?m)^([\w.-]+)==(\S+)", locked))
    others = {it for it in code.iterdir() if it.suffix != ".dist-info"}
    modules = {it for it in others if [*it.glob("__init__.py*")] or it.suffix in (".py", ".pyc")}
    assert {it.name for it in others - modules} <= {"__pycache__"}, "no command-line tools"


def test_sam_build_of_the_defaults(tmp_path: Path) -> None:
    """Which Lambda runs on arm64, and with a Python that this machine needn't have."""
    project = bake(tmp_path)
    project.run(SAM, "build", env=UV)

    assert machines(project.path / ".aws-sam") == {MACHINES[project.answers["architecture"]]}


@pytest.mark.parametrize("python", OPTIONS["python_version"])
def test_wheels_for_lambdas_c_library(python: str, index: Index, tmp_path: Path) -> None:
    """Python 3.11 runs on Amazon Linux 2, with glibc 2.26, the newer ones on 2023, with 2.34.

    https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html
    """
    number = python.replace(".", "")
    index.wheel("tool", f"cp{number}-cp{number}-manylinux_2_28_aarch64")
    project = index.project(tmp_path, "tool", python_version=python, architecture="arm64")

    if python == "3.11":
        assert "no wheels with a matching platform tag" in refused(project, tmp_path / "code")
    else:
        build(project, tmp_path / "code")


def test_a_wheel_with_another_hash_is_refused(tmp_path: Path) -> None:
    project = bake(tmp_path, **HERE)
    project.run("uv", "lock", "--python", sys.executable, env=UV)
    lock = project.path / "uv.lock"
    lock.write_text(re.sub("sha256:[0-9a-f]{8}", "sha256:00000000", lock.read_text("utf-8")))

    assert "Hash mismatch" in refused(project, tmp_path / "code", UV_NO_VERIFY_HASHES="1")


def test_a_wheel_without_a_hash_is_refused(index: Index, tmp_path: Path) -> None:
    index.wheel("tool")
    [file] = index.folder.glob("*/*.whl")
    (file.parent / "index.html").write_text(f'<a href="{file.name}">{file.name}</a>')
    project = index.project(tmp_path, "tool")

    said = refused(project, tmp_path / "code", UV_REQUIRE_HASHES="0", UV_NO_VERIFY_HASHES="1")

    assert "must have a hash" in said


def test_nothing_is_built_from_source(index: Index, tmp_path: Path) -> None:
    """A source distribution runs code here when it is built, and builds for this machine."""
    ran = tmp_path / "ran"
    files = {
        "PKG-INFO": "Metadata-Version: 2.2\nName: tool\nVersion: 1.0\n",
        "pyproject.toml": '[project]\nname = "tool"\nversion = "1.0"\n[build-system]\n'
        'requires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": f"open({str(ran)!r}, 'w')\n"
        "def build_wheel(folder, *_):\n"
        "    import zipfile\n"
        "    with zipfile.ZipFile(folder + '/tool-1.0-py3-none-any.whl', 'w') as archive:\n"
        "        archive.writestr('tool-1.0.dist-info/METADATA',\n"
        "                         'Metadata-Version: 2.2\\nName: tool\\nVersion: 1.0\\n')\n"
        "        archive.writestr('tool-1.0.dist-info/WHEEL',\n"
        "                         'Wheel-Version: 1.0\\nTag: py3-none-any\\n')\n"
        "        archive.writestr('tool-1.0.dist-info/RECORD', '')\n"
        "    return 'tool-1.0-py3-none-any.whl'\n",
    }
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"tool-1.0/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    index.publish("tool", "tool-1.0.tar.gz", content.getvalue())
    project = index.project(tmp_path, "tool")

    assert "no usable wheels" in refused(project, tmp_path / "code")
    assert not ran.exists()


def test_bytecode_is_taken_without_a_look_at_the_source(tmp_path: Path) -> None:
    """Whose date is another in Lambda's copy."""
    project = bake(tmp_path, **HERE)
    code = tmp_path / "code"
    build(project, code)

    for source in code.rglob("*.py"):
        cached = source.parent / "__pycache__" / f"{source.stem}.{sys.implementation.cache_tag}.pyc"
        assert cached.is_file()
    for bytecode in code.rglob("*.pyc"):
        assert struct.unpack_from("<I", bytecode.read_bytes(), 4) == (UNCHECKED_HASH,)
    assert (code / "pymongo/__init__.pyc").is_file()
    (code / project.package / "connection.py").write_text("raise ImportError")
    command = [sys.executable, "-c", f"import {project.package}.connection"]
    subprocess.run(command, cwd=code, check=True)


def test_source_of_dependencies_is_left_out(index: Index, tmp_path: Path) -> None:
    """But of those that need it, and with no Python here to compile them."""
    for name in ("tool", "reader"):
        index.wheel(name, files={f"{name}/__init__.py": b"\n\n1/0", f"{name}/data.py.txt": b""})
    project = index.project(tmp_path, "tool", "reader", **HERE)
    script = project.path / "scripts/build.py"
    text = project.read("scripts/build.py")
    script.write_text(text.replace("WITH_SOURCE = [", 'WITH_SOURCE = ["reader/**/*.py",'))
    code = tmp_path / "code"
    build(project, code)

    names = {it for it in contents(code) if (code / it).is_file()}
    assert {it for it in names if it.startswith("tool/")} == {
        "tool/__init__.pyc",
        "tool/data.py.txt",
    }
    cached = f"reader/__pycache__/__init__.{TAG}.pyc"
    assert {it for it in names if it.startswith("reader/")} == {
        *("reader/__init__.py", "reader/data.py.txt", cached)
    }
    command = [sys.executable, "-c", "import tool"]
    failed = subprocess.run(command, cwd=code, stderr=subprocess.PIPE, text=True, check=False)
    assert 'File "/var/task/tool/__init__.py", line 3' in failed.stderr


CODE = """
import boto3
from aws_lambda_powertools.utilities import parameters
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
)

queue = boto3.client(
    "sqs", region_name="eu-central-1"
)
bucket = boto3.Session().resource(service_name='s3')
cups = kitchen.client("cups")
"""
FOUND = {"appconfigdata", "dynamodb", "s3", "secretsmanager", "sqs", "ssm"}


@pytest.mark.parametrize("auth", OPTIONS["auth"])
def test_services_that_nobody_calls_are_left_out(auth: str, tmp_path: Path) -> None:
    """What is kept is what the code names, and what it imports does."""
    project = bake(tmp_path, **HERE, auth=auth)
    own = {"secretsmanager"} if auth == "password" else set()
    builds = {"as it is": own, "with more": own | FOUND | {"sns"}}
    for name, expected in builds.items():
        code = tmp_path / name
        build(project, code)

        data = code / "botocore/data"
        assert {it.name for it in data.iterdir() if it.is_dir()} == expected
        assert {it.name for it in data.glob("*.json")} > {"endpoints.json", "partitions.json"}
        resources = {it.name for it in (code / "boto3/data").glob("*")}
        assert resources == expected & {"dynamodb", "s3", "sns", "sqs"}
        (project.source / "more.py").write_text(CODE)
        script = project.path / "scripts/build.py"
        text = script.read_text("utf-8")
        script.write_text(text.replace("SERVICES: set[str] = set()", 'SERVICES = {"sns"}'))


ENDPOINTS = """
import sys
sys.path.insert(0, sys.argv[1])
import boto3, botocore
assert botocore.__file__.startswith(sys.argv[1] or "/")
for service in ("cloudwatch", "s3", "secretsmanager", "ses", "sqs"):
    for region in ("us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1", "xx-new-1"):
        for options in {}, {"use_fips_endpoint": True}, {"use_dualstack_endpoint": True}:
            config = botocore.config.Config(**options)
            meta = boto3.client(
                service, region, config=config, aws_access_key_id="x", aws_secret_access_key="x"
            ).meta
            signed = meta.config.signature_version, meta.region_name, meta.partition
            print(service, region, options, meta.endpoint_url, *signed)
"""


def test_endpoints_are_those_of_the_whole_package(tmp_path: Path) -> None:
    project = bake(tmp_path, **HERE)
    named = '"cloudwatch", "s3", "secretsmanager", "ses", "sqs"'
    script = project.path / "scripts/build.py"
    text = script.read_text("utf-8")
    script.write_text(text.replace("SERVICES: set[str] = set()", f"SERVICES = {{{named}}}"))
    code = tmp_path / "code"
    build(project, code)

    whole, shipped = (
        subprocess.run(
            [sys.executable, "-c", ENDPOINTS, folder], stdout=subprocess.PIPE, text=True, check=True
        ).stdout.splitlines()
        for folder in ("", str(code))
    )

    assert len(shipped) == 5 * 5 * 3
    assert shipped == whole


@pytest.mark.parametrize(
    ("code", "listed", "said"),
    [
        (
            "client = boto3.client(NAME)",
            "set()",
            "src/orders_service/more.py builds a client without the service's name: add that to "
            'SERVICES in scripts/build.py, as in {"s3"}.',
        ),
        (
            "client = boto3.client(NAME)",
            '{"s3", "queue"}',
            "SERVICES in scripts/build.py has queue, which boto3 doesn't know.",
        ),
    ],
)
def test_a_service_that_cannot_be_found(code: str, listed: str, said: str, tmp_path: Path) -> None:
    project = bake(tmp_path, **HERE)
    (project.source / "more.py").write_text(code)
    script = project.path / "scripts/build.py"
    text = script.read_text("utf-8")
    script.write_text(text.replace("SERVICES: set[str] = set()", f"SERVICES = {listed}"))

    assert refused(project, tmp_path / "code") == f"{said}\n"


FETCH = """
import os

import boto3


def fetch() -> None:
    boto3.Session().client(os.environ["SERVICE"])
"""
TEST = """
import boto3
from orders_service.fetch import fetch


def test_fetch(monkeypatch):
    boto3.client("s3")
    monkeypatch.setenv("SERVICE", "sqs")
    fetch()
"""


def test_a_client_of_a_service_that_is_left_out_fails_in_a_test(
    mongod: Mongod, tmp_path: Path
) -> None:
    """Of the project, with the name of the list. A client of the test's own is none of Lambda's."""
    project = bake(tmp_path, **HERE)
    (project.source / "fetch.py").write_text(FETCH)
    (project.path / "tests/test_fetch.py").write_text(TEST)
    command = [sys.executable, "-m", "pytest", "-q", "tests/test_fetch.py"]
    script = project.path / "scripts/build.py"

    said = project.run(*command, env={"MONGODB_URI": mongod.uri}, check=False).stdout
    text = script.read_text("utf-8")
    script.write_text(text.replace("SERVICES: set[str] = set()", 'SERVICES = {"sqs"}'))
    then = project.run(*command, env={"MONGODB_URI": mongod.uri}).stdout

    sentence = "leaves out what boto3 needs for sqs: add it to SERVICES in scripts/build.py"
    assert sentence in said
    assert "1 passed" in then


@pytest.mark.parametrize(
    "answers", [{"architecture": it} for it in OPTIONS["architecture"]], ids=str
)
def test_the_largest_artefact_has_8_mb(
    answers: dict[str, str], mongod: Mongod, tmp_path: Path
) -> None:
    """As it is uploaded; and unpacked again, as Lambda does, it answers."""
    project = bake(tmp_path, **HERE | answers, layout="web", auth="password")
    build(project, tmp_path / "code")
    archive = Path(shutil.make_archive(str(tmp_path / "code"), "zip", tmp_path / "code"))

    assert archive.stat().st_size < 8_000_000
    if answers["architecture"] == HERE["architecture"]:
        shutil.unpack_archive(archive, tmp_path / "task")
        variables = {"MONGODB_URI": mongod.uri, "MONGODB_DATABASE": "app"}
        handler = f"{project.package}.app.handler"
        with ExecutionEnvironment(tmp_path / "task", handler, variables) as environment:
            invocation = environment.invoke(request("GET /items"))
        assert invocation.response["statusCode"] == 200, invocation.logs


def test_without_lambdas_python_there_is_no_bytecode(tmp_path: Path) -> None:
    here = [TEMPLATE / ".tools/uv/bin", Path(sys.executable).parent]
    environment = {
        "PATH": os.pathsep.join(map(str, here)),
        "UV_PYTHON_INSTALL_DIR": str(tmp_path / "none"),
    }
    code = tmp_path / "code"

    said = build(bake(tmp_path, python_version=OTHER_PYTHON), code, **environment)

    assert said.splitlines() == [
        f"No Python {OTHER_PYTHON} here to compile with, so cold starts will be slower.",
        f"To get it: uv python install {OTHER_PYTHON}",
    ]
    assert list(code.rglob("*.py"))
    assert not list(code.rglob("*.pyc"))


# Settings that would change the artefact, or break the build: each did, or is one of their kind.
VARIABLES = {
    "UV_BUILD_CONSTRAINT": "nowhere.txt",
    "UV_COMPILE_BYTECODE": "1",
    "UV_CONSTRAINT": "nowhere.txt",
    "UV_EXCLUDE": "nowhere.txt",
    "UV_LINK_MODE": "symlink",
    "UV_OVERRIDE": "nowhere.txt",
    "UV_PROJECT": "/",
    "UV_PYTHON": "3.8",
    "UV_SYSTEM_PYTHON": "1",
    "UV_TARGET": "nowhere",
    "UV_WORKING_DIR": "/",
    "VIRTUAL_ENV": "/nowhere",
    "FORCE_COLOR": "1",
    "PIP_TARGET": "nowhere",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONOPTIMIZE": "2",
    "PYTHONPYCACHEPREFIX": "nowhere",
    "PYTHONSAFEPATH": "1",
}
CONFIGURATION = """
[tool.uv]
package = true
compile-bytecode = true
link-mode = "symlink"
default-groups = "all"
constraint-dependencies = ["tool<2"]

[tool.uv.pip]
compile-bytecode = true
link-mode = "symlink"
no-deps = false
only-binary = ["other"]
prefix = "nowhere"
python = "3.8"
python-platform = "windows"
python-version = "3.8"
require-hashes = false
target = "nowhere"
verify-hashes = false
"""


@NEEDS_A_SHELL
def test_other_settings_leave_the_artefact_alone(index: Index, tmp_path: Path) -> None:
    """And it is the same to the byte wherever it is built."""
    files = {"tool.py": b"'A tool.'\nassert True\n", "tool-1.0.data/scripts/tool": b"#!python\n"}
    # As some releases of pymongo have one of another version in them.
    files |= {f"a.{tag}-linux.so": elf(HERE["architecture"]) for tag in (OTHER_TAG, TAG)}
    index.wheel("tool", files=files)
    index.wheel("other")
    index.wheel("grouped")
    project = index.project(tmp_path, "tool", "other", **HERE)
    plain, code = tmp_path / "plain", tmp_path / "elsewhere/code"
    build(project, plain)
    pyproject = project.path / "pyproject.toml"
    text = project.read(pyproject.name).replace("dev = []", 'dev = []\nmore = ["grouped"]')
    text = re.sub(r"^\[tool.uv\]\n.*\n", lambda _: CONFIGURATION, text, flags=re.M)
    pyproject.write_text(text, "utf-8")
    for path in project.source.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)

    project.run(
        *("sh", "-c", 'umask 077; exec "$@"', "", sys.executable, "scripts/build.py", str(code)),
        project.answers["architecture"],
        env=UV | VARIABLES,
    )

    assert contents(code) == contents(plain)
    assert {stat.S_IMODE(mode) for mode, _ in contents(code).values()} == {0o644, 0o755}
    assert "nowhere" not in "".join(map(str, tmp_path.rglob("*")))


def test_the_package_index_is_the_projects(index: Index, tmp_path: Path) -> None:
    """Or the one that uv is set up with: `--no-config` would break people behind a mirror."""
    index.wheel("tool")
    project = index.project(tmp_path, "tool")
    pyproject = project.path / "pyproject.toml"
    pyproject.write_text(project.read(pyproject.name).partition("[[tool.uv.index]]")[0], "utf-8")

    build(project, tmp_path / "code", UV_DEFAULT_INDEX=index.folder.as_uri())

    assert list((tmp_path / "code").glob("tool.py*"))


def test_what_is_in_src_is_shipped(index: Index, tmp_path: Path) -> None:
    """Modules, packages and data, and nothing that editors and tools leave there."""
    index.wheel("tool")
    project = index.project(tmp_path, "tool", python_version=OTHER_PYTHON)
    source = project.source
    shipped = ["shared.py", "plain/module.py", f"{source.name}/data/rates.json", "plain/Makefile"]
    left = [f"{source.name}/app.py~", f"{source.name}/.env", ".DS_Store", "x.egg-info/PKG-INFO"]
    left += [f"{source.name}/__pycache__/app.cpython-{it}.pyc" for it in range(311, 315)]
    for name in shipped + left:
        path = source.parent / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    (source / ".#app.py").symlink_to("somebody@somewhere.1")  # as Emacs locks a file

    build(project, tmp_path / "code", UV_PYTHON_INSTALL_DIR=str(tmp_path), PATH=only_uv(tmp_path))

    files = {it for it in contents(tmp_path / "code") if (tmp_path / "code" / it).is_file()}
    own = {it for it in project.files if it.startswith(f"src/{source.name}/")}
    expected = {*shipped, *(it.removeprefix("src/") for it in own if it.endswith(".py"))}
    assert {it for it in files if not it.startswith("tool")} == expected


def only_uv(folder: Path) -> str:
    """A PATH on which there is no Python."""
    (folder / "programs").mkdir()
    (folder / "programs/uv").symlink_to(TEMPLATE / ".tools/uv/bin/uv")
    return str(folder / "programs")


def test_a_module_that_hides_a_dependency(index: Index, tmp_path: Path) -> None:
    index.wheel("tool")
    project = index.project(tmp_path, "tool")
    (project.path / "src/tool").mkdir()

    said = refused(project, tmp_path / "code")

    assert said == "src/tool has the name of a dependency: rename it.\n"


def test_leftovers_of_another_build(index: Index, tmp_path: Path) -> None:
    """What is in the folder would be shipped, and isn't ours to remove."""
    index.wheel("tool")
    project = index.project(tmp_path, "tool")
    code = tmp_path / "code"
    (code / "removed").mkdir(parents=True)

    assert refused(project, code) == f"{code} isn't empty: name a new folder.\n"
    assert [it.name for it in code.iterdir()] == ["removed"]


def test_a_version_that_lambda_lacks(index: Index, tmp_path: Path) -> None:
    index.wheel("tool")
    project = index.project(tmp_path, "tool")
    (project.path / ".python-version").write_text("3.13.2\n")

    said = refused(project, tmp_path / "code")

    assert said == ".python-version must be one of Lambda's Python versions, such as 3.13.\n"


def test_code_that_does_not_compile(index: Index, tmp_path: Path) -> None:
    index.wheel("tool")
    project = index.project(tmp_path, "tool", **HERE)
    (project.source / "broken.py").write_text("def")

    assert refused(project, tmp_path / "code") == "What is listed above doesn't compile.\n"


WRONG: dict[str, tuple[dict[str, bytes], str, str]] = {
    "a package is missing": ({}, "rm -r *.dist-info", "tool is missing."),
    "a package too many": ({}, "mkdir six-1.0.dist-info", "six is not in uv.lock."),
    "a link into uv's cache": ({}, "ln -s /cache/it.py it.py", "it.py is a symbolic link."),
    "another processor": (
        {f"a.{TAG}-linux.so": elf(OTHER_PROCESSOR)},
        "",
        f"a isn't for {PLATFORM}.",
    ),
    "another Python": (
        {f"a.{OTHER_TAG}-linux.so": elf(HERE["architecture"])},
        "",
        f"a isn't for {PLATFORM}.",
    ),
    "another system": ({"a.abi3.so": b"\xcf\xfa\xed\xfe"}, "", f"a isn't for {PLATFORM}."),
    "too large": ({}, "truncate -s 251M data", "it has 251 MB, and Lambda takes 250 MB."),
    "no bytecode": ({}, "", r"\S+\.py has no bytecode that Lambda takes."),
    "bytecode by timestamps": ({}, "", r"\S+\.py has no bytecode that Lambda takes."),
}


@NEEDS_A_SHELL
@pytest.mark.parametrize("case", WRONG)
def test_the_result_is_checked(case: str, index: Index, tmp_path: Path) -> None:
    """Behind a uv, or a Python, that does it wrong."""
    files, spoil, expected = WRONG[case]
    code, programs = tmp_path / "code", tmp_path / "programs"
    programs.mkdir()
    compiles = f'for last; do :; done; exec {sys.executable} -m compileall -q "$last"'
    (programs / "python").write_text(
        f"#!/bin/sh\n{compiles if case == 'bytecode by timestamps' else ''}\n"
    )
    uv = shutil.which("uv", path=UV["PATH"])
    behind = f'{uv} "$@" || exit\ncase " $* " in *" pip sync "*) cd {code}; {spoil or ":"};; esac'
    if "bytecode" in case:
        python = programs / "python"
        behind = f'case " $* " in *" python find "*) echo {python};; *) exec {uv} "$@";; esac'
    (programs / "uv").write_text(f"#!/bin/sh\n{behind}\n")
    for program in programs.iterdir():
        program.chmod(0o755)
    index.wheel("tool", files={"tool.py": b""} | files)
    project = index.project(tmp_path, "tool", **HERE)

    said = refused(project, code, PATH=f"{programs}{os.pathsep}{UV['PATH']}")

    assert re.fullmatch(f"The build is wrong: {expected}\n", said)


def sam_build(
    *options: object, cwd: Path, check: bool = True, variables: Mapping[str, str] = UV
) -> str:
    """Run `sam build` in a folder and return what it says."""
    done = subprocess.run(
        [SAM, "build", *map(str, options)],
        cwd=cwd,
        env={**os.environ, "SAM_CLI_TELEMETRY": "0", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) == check, done.stdout
    return done.stdout


PARENT = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Resources:
  Orders:
    Type: AWS::Serverless::Application
    Properties:
      Location: orders-service/template.yaml
      Parameters:
        ClusterHost: cluster0.ab1cd.mongodb.net
"""


@NEEDS_A_SHELL
def test_wherever_the_project_stands(index: Index, tmp_path: Path) -> None:
    """As a parent's nested application, from another folder, under a path with odd characters."""
    index.wheel("tool")
    place = tmp_path / 'Meine $HOME & Co\'s "заказы" (注文) #1'
    project = index.project(place, "tool", **HERE)
    (place / "template.yaml").write_text(PARENT)
    before = {it.name for it in place.iterdir()}
    direct = place / "direkt"
    build(project, direct)

    sam_build("--template-file", place / "template.yaml", "--build-dir", "nested", cwd=tmp_path)
    sam_build("--template-file", project.path / "template.yaml", cwd=place)
    sam_build(cwd=project.path)
    sam_build("Function", "--parallel", "--cached", cwd=project.path)

    expected = contents(direct)
    assert f"{project.package}/app.py" in expected
    assert contents(tmp_path / "nested/Orders/Function") == expected
    assert contents(place / ".aws-sam/build/Function") == expected
    assert contents(project.path / ".aws-sam/build/Function") == expected
    assert {it.name for it in place.iterdir()} == before | {"direkt", ".aws-sam"}


@NEEDS_A_SHELL
def test_sam_build_needs_uv_and_no_python(index: Index, tmp_path: Path) -> None:
    """uv finds one, or gets one. A `python3` of the system may be old, or none."""
    index.wheel("tool")
    project = index.project(tmp_path, "tool", **HERE)
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("dirname", "make", "sh"):
        found = shutil.which(name)
        assert found
        (programs / name).symlink_to(found)
    (programs / "python3").write_text("#!/bin/sh\necho old >&2\nexit 1\n")
    (programs / "python3").chmod(0o755)
    variables = {"PATH": str(programs)}

    said = sam_build(cwd=project.path, check=False, variables=variables)
    assert "To build, install uv (https://docs.astral.sh/uv)" in said
    assert "not found" not in said

    (programs / "uv").symlink_to(TEMPLATE / ".tools/uv/bin/uv")
    python = programs / f"python{HERE['python_version']}"
    python.symlink_to(Path(sys.executable).resolve())
    sam_build(cwd=project.path, variables=variables)
    assert (project.path / ".aws-sam/build/Function/tool.pyc").is_file()


@pytest.mark.parametrize(
    ("file", "right", "wrong", "failed"),
    [
        (".python-version", "3.13", "3.14", "test_python_is_the_one_of_the_build"),
        ("src/Makefile", "arm64", "x86_64", "test_processor_is_the_one_of_the_build"),
    ],
)
def test_a_template_for_another_platform(
    file: str, right: str, wrong: str, failed: str, baked: Baker, tmp_path: Path
) -> None:
    """SAM's template can't read the version from a file: the project's tests compare."""
    answers = {"python_version": "3.13", "architecture": "arm64"}
    command = [sys.executable, "-m", "pytest", "-q", "--noconftest", "tests/test_template.py"]
    baked(**answers).run(*command)
    project = bake(tmp_path, **answers)
    (project.path / file).write_text(project.read(file).replace(right, wrong))

    said = project.run(*command, check=False).stdout

    assert re.findall(r"^FAILED tests/test_template.py::(\w+)", said, re.MULTILINE) == [failed]
