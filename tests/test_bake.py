"""What a bake leaves on disk, for every combination of answers."""

import itertools
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

import pytest

from tests.conftest import Baker
from tests.support.baking import (
    CORE,
    PAIRED,
    TEMPLATE,
    TIDY,
    bake,
    combinations,
    context_of,
    render,
)

Answers = dict[str, str]

# The exact files of each project, beside the answers that add them.
SEVERAL = """
    src/orders_service/api.py src/orders_service/client.py
    src/orders_service/events.py src/orders_service/items.py
    src/orders_service/functions/__init__.py
    src/orders_service/functions/create_indexes.py
    src/orders_service/functions/create_item.py src/orders_service/functions/delete_item.py
    src/orders_service/functions/get_item.py src/orders_service/functions/list_items.py
    openapi.json scripts/new_function.py scripts/openapi.py tests/test_items.py
    tests/test_openapi.py
"""
"""Files of a project that has several functions."""

FILES: list[tuple[Answers, str]] = [
    (
        {},
        """
            .answers.json .editorconfig .gitattributes .gitignore .pre-commit-config.yaml
            .python-version AGENTS.md Makefile README.md pyproject.toml uv.lock
            compose.yaml docs/recipes.md scripts/build.py scripts/local.py scripts/mongodb.py
            docs/connections.md docs/local.md docs/network.md docs/updates.md
            scripts/access.py scripts/atlas.py scripts/deploy.py scripts/environment.py
            scripts/network.py
            src/orders_service/__init__.py src/orders_service/connection.py tests/conftest.py
            tests/test_client_placement.py tests/test_connection.py
        """,
    ),
    (
        {"iac": "sam"},
        """
            samconfig.toml src/Makefile template.yaml tests/test_template.py
        """,
    ),
    (
        {"iac": "cdk"},
        """
            cdk.json infra/__init__.py infra/api.py infra/app.py infra/code.py infra/dashboard.py
            infra/database.py infra/service.py infra/service_function.py infra/settings.py
            infra/stack.py package.json package-lock.json tests/test_infra.py
        """,
    ),
    *(
        ({"iac": "cdk", "network": network}, "infra/network.py")
        for network in ("private-endpoint", "peering", "nat")
    ),
    (
        {"iac": "cdk", "network": "public", "atlas_setup": "stack"},
        """
            infra/access_list.py
        """,
    ),
    (
        {"layout": "single"},
        """
            src/orders_service/app.py tests/test_app.py
        """,
    ),
    ({"layout": "multi"}, f"src/orders_service/app.py {SEVERAL}"),
    ({"layout": "web"}, f"src/orders_service/app.py {SEVERAL}"),
    ({"layout": "multi-lambda"}, SEVERAL),
    (
        {"auth": "password"},
        """
            tests/test_rotation.py
        """,
    ),
    (
        {"atlas_setup": "stack"},
        """
            atlas-bootstrap.yaml
        """,
    ),
    (
        {"api_auth": "jwt"},
        """
            docs/callers.md src/orders_service/caller.py tests/test_caller.py
        """,
    ),
    (
        {"snapstart": "yes"},
        """
            docs/snapstart.md src/orders_service/snapshot.py tests/test_snapshot.py
        """,
    ),
    (
        {"ci": "github"},
        """
            .github/dependabot.yml .github/deploy-role.yaml .github/requirements.txt
            .github/workflows/ci.yml .github/workflows/deploy.yml docs/github.md
        """,
    ),
]


# What Cookiecutter would have rendered; CloudFormation's dynamic references and GitHub's
# expressions look alike.
JINJA = r"(?<!\$)\{[{%#](?!resolve:)|[%#]\}|cookiecutter"

# Slugs that make the lines with the package's name as short and as long as they get.
# The slug decides where lines break and how imports sort, in the code only: not all options are
# needed for the odd ones.
SLUGS = {
    "orders-service": CORE,
    "a": ("layout", "auth", "iac"),
    "x" * 40: ("layout", "auth", "iac"),
}


def files_of(answers: Mapping[str, str]) -> set[str]:
    """The files that a project with these answers has, all of them given."""
    return {
        file
        for needed, files in FILES
        if needed.items() <= answers.items()
        for file in files.split()
    }


@pytest.mark.parametrize("answers", [*combinations(), *combinations("ci"), *PAIRED])
def test_exact_files(baked: Baker, answers: Answers) -> None:
    project = baked(**answers)
    assert project.files == files_of(project.answers)
    assert not [
        path for path in project.path.rglob("*") if path.is_dir() and not list(path.iterdir())
    ]


@pytest.mark.parametrize("answers", [*combinations(), *PAIRED])
def test_no_trace_of_the_template(baked: Baker, answers: Answers) -> None:
    project = baked(**answers)
    for name in project.files:
        for text in (name, project.read(name)):
            assert not re.search(JINJA, text, re.IGNORECASE), name


@pytest.mark.parametrize("answers", [*combinations(), *PAIRED])
def test_tidy_text(baked: Baker, answers: Answers) -> None:
    """UTF-8 with line feeds, no stray blanks, one line feed at the end; and it parses."""
    project = baked(**answers)
    for name in project.files:
        text = (project.path / name).read_bytes().decode("utf-8")
        if not text and name.endswith("__init__.py"):
            continue
        shows_python = name.endswith((".py", "recipes.md", "snapstart.md"))
        faults = {
            "carriage return": "\r" in text,
            "tab": "\t" in text and not name.endswith("Makefile"),
            "blank at the end of a line": re.search(r"[ \t]$", text, re.MULTILINE),
            "blank line first": text.startswith("\n"),
            "not one line feed last": not re.search(r"[^\n]\n\Z", text),
            "two blank lines": "\n\n\n" in text and not shows_python,
        }
        assert not [fault for fault, found in faults.items() if found], name
        project.parse(name)


@pytest.mark.parametrize(
    "slug",
    [
        slug if slug == "orders-service" else pytest.param(slug, marks=pytest.mark.slow)
        for slug in SLUGS
    ],
)
def test_clean_for_linter_and_formatter(slug: str, baked: Baker) -> None:
    """Every combination, under the settings it comes with, without a fixer."""
    named = {} if slug == "orders-service" else {"project_slug": slug}  # else it shares its bakes
    projects = [baked(**named, **it.values[0]) for it in [*combinations(*SLUGS[slug]), *PAIRED]]
    paths = [str(project.path) for project in projects]
    for command in (["check"], ["format", "--check"]):
        done = projects[0].run("ruff", *command, *paths, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


# As people write, and as long as the hook allows: with spaces, quotation marks and joined words.
TEXTS = {
    "project_name": ('Mae\'s "corner" shop & café in a town by the sea ', 60),
    "description": ('Keeps what "big" customers order, e.g. it\'s 50 % off a pair of shoes; ', 200),
    "database_name": ("customer_order_management_and_more_", 38),
    "project_slug": ("my-own-a-b2-orders-of-customers-and-", 40),
}


def text_of(name: str, length: int) -> str:
    """An answer of that length, or the longest one."""
    words, longest = TEXTS[name]
    text = (words * longest)[: min(length, longest)]
    return re.sub(r"[ -]$", "x", text)


@pytest.mark.slow
def test_text_of_every_length_is_clean_for_linter_and_formatter(tmp_path: Path) -> None:
    """Only the settings and what is Python is rendered, to have every length."""
    longest = max(length for _, length in TEXTS.values())
    every = [it.values[0] for it in [*combinations(), *PAIRED]]
    cases = list(zip(range(1, longest + 1), itertools.cycle(every), strict=False))
    cases += itertools.product((1, longest), every)
    for number, (length, answers) in enumerate(cases):
        context = context_of(**answers, **{name: text_of(name, length) for name in TEXTS})
        for name in files_of(context):
            if name.endswith((".py", "pyproject.toml")):
                name = name.replace("/orders_service/", f"/{context['__package']}/")
                path = tmp_path / f"{number}" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(render(name, context), "utf-8")
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [Path(sys.executable).with_name("ruff"), *command, "--no-cache", str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def windows_faults(paths: Iterable[str]) -> list[str]:
    """Paths that Windows can't hold, alone or beside the others."""
    paths = list(paths)
    faults = [
        path
        for path in paths
        for part in PurePosixPath(path).parts
        if re.search(r'[<>:"|?*\\\x00-\x1f]|[. ]$', part)
        or re.fullmatch(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", part, re.IGNORECASE)
    ]
    folded = [path.casefold() for path in paths]
    return faults + [path for path in paths if folded.count(path.casefold()) > 1]


def test_windows_faults_are_found() -> None:
    bad = ["a:b", "a/<b>", "a?", "b.", "c ", "src/con", "NUL.txt", "a\\b", "Read", "read"]
    assert windows_faults([*bad, ".github/workflows/ci.yml", "{{cookiecutter.x}}/a"]) == bad


def test_the_template_can_be_cloned_on_windows() -> None:
    done = subprocess.run(
        ["git", "ls-files", "-z"], cwd=TEMPLATE, capture_output=True, check=True, encoding="utf-8"
    )
    files = done.stdout.split("\0")[:-1]
    assert "cookiecutter.json" in files
    assert windows_faults(files) == []
    assert max(map(len, files)) <= 140


@pytest.mark.parametrize("answers", combinations())
def test_the_project_can_be_cloned_on_windows(baked: Baker, answers: Answers) -> None:
    assert windows_faults(baked(**answers).files) == []


@pytest.mark.slow  # for their number
@pytest.mark.parametrize(
    "answers", [*combinations("layout", "auth", "iac"), *combinations("network", "atlas_setup")]
)
def test_without_hooks_there_are_only_spare_files(
    baked: Baker, answers: Answers, tmp_path: Path
) -> None:
    """As when people decline them: what should be there is, and what is spare parses too."""
    project, plain = baked(**answers), bake(tmp_path, False, **answers)
    assert plain.files >= project.files
    for name in plain.files:
        plain.parse(name)
        if name in project.files:
            assert plain.read(name) == project.read(name)


def test_every_file_of_the_template_is_in_some_project(baked: Baker, tmp_path: Path) -> None:
    some = set[str]().union(*(baked(**one.values[0]).files for one in [*combinations(), *PAIRED]))
    assert bake(tmp_path, False).files == some


def test_the_table_of_variants_has_the_files_that_some_projects_lack() -> None:
    hook = (TEMPLATE / "hooks/pre_gen_project.py").read_text("utf-8")
    listed = re.findall(r'^    f?"(\S+)": (?:[A-Z]+|\{.+\}),$', hook, re.MULTILINE)
    every = [*combinations(), *combinations("ci"), *PAIRED]
    some = [files_of(context_of(**it.values[0])) for it in every]
    variants = {name for files in some for name in files if not all(name in it for it in some)}
    assert {it.replace("{PACKAGE}", "src/orders_service") for it in listed} == variants


OFFLINE = """
import sys

def guard(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        raise OSError(f"no network here: {event}")
    if event == "subprocess.Popen" and args[0] != sys.executable:
        raise OSError(f"no other program here: {args[0]}")

sys.addaudithook(guard)
"""


def test_a_bake_needs_no_network_and_no_other_program(tmp_path: Path) -> None:
    """Not even in its hooks: the guard rides along in every Python that a bake starts."""
    (tmp_path / "sitecustomize.py").write_text(OFFLINE)
    env = {"PATH": "", "PYTHONPATH": str(tmp_path), "HOME": str(tmp_path), **TIDY}

    def python(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )

    connect = "import socket; socket.create_connection(('127.0.0.1', 9))"
    assert "no network here" in python("-c", connect).stderr
    assert "no other program" in python("-c", "import os; os.popen('git')").stderr
    done = python("-m", "cookiecutter", str(TEMPLATE), "--no-input", "-o", str(tmp_path / "out"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "out/orders-service/README.md").is_file()


def test_two_bakes_are_the_same_to_the_byte(baked: Baker, tmp_path: Path) -> None:
    assert baked().contents == bake(tmp_path).contents
