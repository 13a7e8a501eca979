"""Bake the template: the option matrix of cookiecutter.json and what it yields.

Bakes need no network and leave the user's own Cookiecutter settings and replays alone.
"""

import ast
import io
import itertools
import json
import os
import runpy
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from contextlib import chdir, redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import pytest
import yaml
from cookiecutter.environment import StrictEnvironment  # type: ignore[import-untyped]
from cookiecutter.generate import generate_context  # type: ignore[import-untyped]
from cookiecutter.main import cookiecutter  # type: ignore[import-untyped]
from cookiecutter.prompt import prompt_for_config  # type: ignore[import-untyped]
from jinja2 import FileSystemLoader
from jinja2.bccache import Bucket, BytecodeCache
from markdown_it import MarkdownIt

TEMPLATE = Path(__file__).resolve().parents[2]

PROMPTS: dict[str, Any] = {
    name: default
    for name, default in json.loads((TEMPLATE / "cookiecutter.json").read_text("utf-8")).items()
    if not name.startswith("_")
}
"""Every answer people are asked for, with its default or its list of choices."""

OPTIONS: dict[str, tuple[str, ...]] = {
    name: tuple(choices) for name, choices in PROMPTS.items() if isinstance(choices, list)
}
"""The answers with choices, default first."""

CORE = tuple(
    name for name in ("layout", "auth", "iac", "network", "atlas_setup") if name in OPTIONS
)
"""The options whose product is tested in full; the others are covered pairwise."""

API_AUTH: list[Any] = [
    pytest.param(
        {"api_auth": api_auth, "layout": layout, "iac": iac, "network": network},
        id="/".join((api_auth, layout, iac, network)),
    )
    for api_auth in OPTIONS["api_auth"][1:]
    for layout, network in zip(
        OPTIONS["layout"], itertools.cycle(reversed(OPTIONS["network"])), strict=False
    )
    for iac in OPTIONS["iac"]
]
"""Who may call the API if not the default: with each layout and tool, and a network."""

SNAPSTART: list[Any] = [
    pytest.param(
        {"snapstart": "yes", "layout": layout, "iac": iac, "network": network, "auth": auth},
        id="/".join(("snapstart", layout, iac, network, auth)),
    )
    for layout, network, auth in zip(
        OPTIONS["layout"],
        itertools.cycle(OPTIONS["network"]),
        itertools.cycle(OPTIONS["auth"]),
        strict=False,
    )
    for iac in OPTIONS["iac"]
]
"""SnapStart: with each layout and tool, a network and a way to sign in."""

PAIRED = [*API_AUTH, *SNAPSTART]
"""What is tested beside the product of CORE, with some of it."""

COOKIECUTTERS = {
    "current": Path(sys.executable),
    "2.6": TEMPLATE / ".tools/cookiecutter-2.6/bin/python",
}
"""The Pythons of the newest Cookiecutter and of the oldest that is supported."""

VERSIONS = [pytest.param("current"), pytest.param("2.6", marks=pytest.mark.slow)]
"""Those, for `pytest.mark.parametrize`."""

# Shared bakes stay exactly as baked: tools that run inside one keep their caches to themselves.
# Nor has a project the plugins that these tests use. Its `uv run` takes this environment as it is.
TIDY = {
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTEST_ADDOPTS": "-p no:cacheprovider",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "RUFF_NO_CACHE": "true",
    "MYPY_CACHE_DIR": os.devnull,
    "UV_NO_SYNC": "1",
    "UV_PROJECT_ENVIRONMENT": sys.prefix,
}


class _CloudFormation(yaml.SafeLoader):
    """YAML with CloudFormation's short forms of its functions."""


def _short_form(loader: _CloudFormation, function: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if function == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {function if function in ("Ref", "Condition") else f"Fn::{function}": value}


_CloudFormation.add_multi_constructor("!", _short_form)


def _yaml(text: str) -> Any:
    return yaml.load(text, _CloudFormation)  # noqa: S506 (a SafeLoader)


PARSERS: dict[str, Callable[[str], Any]] = {
    ".json": json.loads,
    ".md": MarkdownIt().parse,
    ".py": ast.parse,
    ".toml": tomllib.loads,
    ".yaml": _yaml,
    ".yml": _yaml,
}


class _Compiled(BytecodeCache):
    """What Jinja makes of the template's files, which is most of a bake's work."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if code := self._code.get(bucket.key):
            bucket.bytecode_from_string(code)  # nothing, if the source is another

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key] = bucket.bytecode_to_string()


_COMPILED = _Compiled()


@dataclass(frozen=True)
class BakedProject:
    """One baked project: the folder and the answers it was made from, defaults included."""

    path: Path
    answers: Mapping[str, str]

    @property
    def package(self) -> str:
        """Name of the importable package under `src/`."""
        return self.answers["project_slug"].replace("-", "_")

    @property
    def source(self) -> Path:
        """The package folder."""
        return self.path / "src" / self.package

    @property
    def contents(self) -> dict[str, bytes]:
        """What is in every file, for comparing projects to the byte."""
        return {name: (self.path / name).read_bytes() for name in self.files}

    @cached_property
    def files(self) -> frozenset[str]:
        """Every file, relative to the project, with forward slashes."""
        return frozenset(
            file.relative_to(self.path).as_posix()
            for file in self.path.rglob("*")
            if file.is_file()
        )

    def read(self, name: str) -> str:
        """Text of one file of the project."""
        return (self.path / name).read_text("utf-8")

    def parse(self, name: str) -> Any:
        """Parse one file by its suffix; text as it is where the suffix has no grammar.

        YAML is CloudFormation's: `!Sub x` becomes `{"Fn::Sub": x}`. Markdown yields tokens.
        """
        return PARSERS.get(Path(name).suffix, str)(self.read(name))

    def run(
        self, *command: str, env: Mapping[str, str] | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the project folder, without leaving tool caches there.

        The programs of this Python's environment come first on the PATH; `env` is added to the
        environment. Unless `check` is false a command that fails raises an AssertionError that
        carries its output.
        """
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        done = subprocess.run(
            command,
            cwd=self.path,
            env={**os.environ, "PATH": path, **TIDY, **(env or {})},
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        if check:
            assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
        return done


def combinations(*names: str) -> list[Any]:
    """Product of the named options (all of CORE without names) for `pytest.mark.parametrize`.

    Each is a dict of answers with an id such as `multi-lambda/password/nat`.
    """
    names = names or CORE
    return [
        pytest.param(dict(zip(names, values, strict=True)), id="/".join(values))
        for values in itertools.product(*(OPTIONS[name] for name in names))
    ]


def in_turns(name: str, *others: str) -> list[Any]:
    """`combinations` of which `--long` alone takes all, and other runs each choice of the first
    option, while those of the others take turns.
    """
    turns = zip(OPTIONS[name], *(itertools.cycle(OPTIONS[it]) for it in others), strict=False)
    ids = {"/".join(values) for values in turns}
    return [
        pytest.param(*it.values, id=it.id, marks=() if it.id in ids else pytest.mark.long)
        for it in combinations(name, *others)
    ]


def stacks(*names: str) -> list[Any]:
    """`combinations`, but half of those of `layout=web`, whose stack is that of `multi` but for its
    routes: each network with each way to set it up, where the ways to sign in take turns.
    """
    auth, network, setup = (OPTIONS[name].index for name in ("auth", "network", "atlas_setup"))

    def has(answers: dict[str, str]) -> bool:
        number = network(answers["network"]) + setup(answers["atlas_setup"])
        return answers["layout"] != "web" or auth(answers["auth"]) == number % 2

    return [it for it in combinations(*names) if has(it.values[0])]


def bake(output_dir: Path, accept_hooks: bool = True, /, **answers: str) -> BakedProject:
    """Bake into a new folder under `output_dir` as `cookiecutter --no-input` would.

    Answers not given keep their defaults. Raises what Cookiecutter raises, such as
    FailedHookException when an answer is refused.
    """
    return _bake(output_dir, no_input=True, extra_context=answers, accept_hooks=accept_hooks)


def bake_typed(output_dir: Path, /, **answers: str) -> BakedProject:
    """Bake with the answers typed at the prompts, and Enter pressed at the others.

    A choice is typed as its number. Raises what Cookiecutter raises.
    """
    typed = io.StringIO("".join(answers.get(name, "") + "\n" for name in PROMPTS))
    with mock.patch("sys.stdin", typed), redirect_stdout(io.StringIO()):
        return _bake(output_dir, no_input=False)


def context_of(**answers: str) -> dict[str, Any]:
    """What Cookiecutter makes of answers: defaults and derived values, too."""
    context = generate_context(TEMPLATE / "cookiecutter.json", extra_context=answers)
    return dict(prompt_for_config(context, no_input=True))


def render(name: str, context: Mapping[str, Any]) -> str:
    """Render one file of a project, by its path there, as Cookiecutter does but without a bake."""
    source = name.replace(f"src/{context['__package']}/", "src/{{cookiecutter.__package}}/")
    return str(_JINJA.get_template(source).render(cookiecutter=context))


_JINJA = StrictEnvironment(
    context={"cookiecutter": {}},
    keep_trailing_newline=True,
    loader=FileSystemLoader([TEMPLATE / "{{cookiecutter.project_slug}}", TEMPLATE / "templates"]),
)


def judge(folder: Path, /, **answers: str) -> str:
    """Run the hook that judges answers in this process and in a folder; return what it says."""
    hook = folder / "hook.py"
    source = (TEMPLATE / "hooks/pre_gen_project.py").read_text("utf-8")
    defaults = {name: OPTIONS.get(name, (it,))[0] for name, it in PROMPTS.items()}
    answers = {**defaults, "project_slug": "orders", "__package": "orders", **answers}
    context = {"cookiecutter": {"_template": "template", **answers}}
    hook.write_text(StrictEnvironment().from_string(source).render(context), "utf-8")
    with chdir(folder), pytest.raises(SystemExit) as end:
        runpy.run_path(str(hook))
    hook.unlink()
    return str(end.value.code)


def _bake(output_dir: Path, **options: Any) -> BakedProject:
    compiled = property(lambda _: _COMPILED, lambda *_: None)
    with (
        TemporaryDirectory() as home,
        mock.patch.object(StrictEnvironment, "bytecode_cache", compiled, create=True),
    ):
        config = Path(home, "config.yaml")
        config.write_text(
            json.dumps({"cookiecutters_dir": f"{home}/templates", "replay_dir": f"{home}/replay"}),
            "utf-8",
        )
        path = cookiecutter(
            str(TEMPLATE), output_dir=str(output_dir), config_file=str(config), **options
        )
        [replay] = Path(home, "replay").iterdir()
        context = json.loads(replay.read_text("utf-8"))["cookiecutter"]
    return BakedProject(Path(path), {name: context[name] for name in PROMPTS})
