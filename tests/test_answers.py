"""The answers: how they are asked, which are refused, and that accepted ones arrive intact."""

import ast
import importlib.metadata
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent
from typing import Any

import pytest
import yaml
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from pytest_cookies.plugin import Cookies  # type: ignore[import-untyped]
from rich.text import Text

from tests.conftest import Baker
from tests.support.baking import (
    COOKIECUTTERS,
    OPTIONS,
    PROMPTS,
    TEMPLATE,
    VERSIONS,
    BakedProject,
    bake,
    bake_typed,
    context_of,
    judge,
)

FREE_TEXT = {name: default for name, default in PROMPTS.items() if name not in OPTIONS}
CONTEXT = json.loads((TEMPLATE / "cookiecutter.json").read_text("utf-8"))


# How they are asked


def test_every_answer_has_a_prompt_and_every_choice_a_label() -> None:
    prompts = CONTEXT["__prompts__"]
    assert list(prompts) == list(PROMPTS)
    for name, choices in OPTIONS.items():
        assert list(prompts[name]) == ["__prompt__", *sorted(choices, key=choices.index)]


@pytest.mark.parametrize("name", OPTIONS)
def test_choices_are_aligned_fit_a_terminal_and_recommend_the_default(name: str) -> None:
    labels = [
        Text.from_markup(CONTEXT["__prompts__"][name][choice]).plain for choice in OPTIONS[name]
    ]
    width = max(map(len, OPTIONS[name])) + 2
    for choice, label in zip(OPTIONS[name], labels, strict=True):
        assert label[:width] == choice.ljust(width)
        assert label[width:].strip() == label[width:] != ""
        assert len(label) <= 80 - len("    1 - ")
    assert ["(recommended)" in label for label in labels] == [True] + [False] * (len(labels) - 1)


# Which are refused

REFUSED = [
    ("project_name", ""),
    ("project_name", " Orders"),
    ("project_name", "Orders "),
    ("project_name", "Orders\nService"),
    ("project_name", "Orders\tService"),
    ("project_name", "x" * 61),
    ("project_name", "Orders {# x #} Service"),
    ("project_slug", "Orders"),
    ("project_slug", "orders_service"),
    ("project_slug", "orders service"),
    ("project_slug", "orders-"),
    ("project_slug", "-orders"),
    ("project_slug", "orders--service"),
    ("project_slug", "2orders"),
    ("project_slug", "bestellungen-für-kunden"),
    ("project_slug", "x" * 41),
    ("project_slug", "orders\n"),
    ("project_slug", "class"),
    ("project_slug", "json"),
    ("project_slug", "compression"),
    ("project_slug", "pymongo"),
    ("project_slug", "aws-lambda-powertools"),
    ("project_slug", "tests"),
    ("project_slug", "src"),
    ("project_slug", "con"),
    ("project_slug", "lpt1"),
    ("description", ""),
    ("description", "two\nlines"),
    ("description", "two\rlines"),
    ("description", "two\u2028lines"),
    ("description", "two\u0085lines"),
    ("description", "bell\a"),
    ("description", "\x7f"),
    ("description", "half a pair \ud83d"),
    ("description", "no character \uffff"),
    ("description", "no character \U0001fffe"),
    ("description", "\u00a0space"),
    ("description", "x" * 201),
    ("description", "comment {# gone #} here"),
    ("description", "product {{ 6 * 7 }}"),
    ("database_name", ""),
    ("database_name", "my database"),
    ("database_name", "my.database"),
    ("database_name", "a/b"),
    ("database_name", "a\\b"),
    ("database_name", 'a"b'),
    ("database_name", "$a"),
    ("database_name", "a*"),
    ("database_name", "a<b"),
    ("database_name", "a>b"),
    ("database_name", "a:b"),
    ("database_name", "a|b"),
    ("database_name", "a?"),
    ("database_name", "a@b"),
    ("database_name", "a,b"),
    ("database_name", "a\0"),
    ("database_name", "a\u200b"),
    ("database_name", "x" * 39),
    ("database_name", "ü" * 20),
    ("database_name", "admin"),
    ("database_name", "Local"),
    ("database_name", "config"),
    ("database_name", "app{# #}"),
    ("aws_region", ""),
    ("aws_region", "us-east"),
    ("aws_region", "us-east-1a"),
    ("aws_region", "US-EAST-1"),
    ("aws_region", "us_east_1"),
    ("aws_region", "us-east-1 "),
    ("aws_region", "Frankfurt"),
]


@pytest.mark.parametrize(("name", "answer"), REFUSED)
def test_a_bad_answer_is_refused_in_one_sentence_and_leaves_nothing(
    name: str,
    answer: str,
    cookies: Cookies,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    result = cookies.bake(extra_context={"project_slug": "orders", name: answer})

    assert result.exit_code != 0
    assert "exit status: 1" in str(result.exception)
    assert leftovers(tmp_path) == []
    sentences, _ = refusal(capfd.readouterr().err)
    assert re.fullmatch(rf"{name} must .+, such as '.+', not .+\.", "\n".join(sentences))


def test_every_bad_answer_gets_its_sentence_on_stderr(tmp_path: Path) -> None:
    done = cookiecutter(tmp_path, "project_slug=Orders", "aws_region=Frankfurt")

    assert done.returncode == 1
    assert refusal(done.stderr)[0] == [
        "project_slug must be 1 to 40 of a-z, 0-9 and single hyphens, a letter first and no hyphen "
        "last, such as 'orders-service', not 'Orders'.",
        "aws_region must be the code of an AWS Region, such as 'us-east-1', not 'Frankfurt'.",
    ]
    assert list(tmp_path.iterdir()) == []


PRINTED = {
    "current": """\
        ERROR: Stopping generation because pre_gen_project hook script didn't exit successfully
        Traceback (most recent call last):
          …
        cookiecutter.exceptions.FailedHookException: Hook script failed (exit status: 1)
        Hook script failed (exit status: 1)
    """,
    "2.6": """\
        ERROR: Stopping generation because pre_gen_project hook script didn't exit successfully
        Hook script failed (exit status: 1)
    """,
}


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_printed_around_it(version: str, tmp_path: Path) -> None:
    """Cookiecutter's own lines are on stdout, a traceback among them, and follow the sentence."""
    done = cookiecutter(tmp_path, "aws_region=Frankfurt", version=version)
    assert done.returncode == 1
    printed = re.sub(r"(?m)(^  .*\n)+", "  …\n", done.stdout)
    assert printed == dedent(PRINTED[version])
    assert printed in (TEMPLATE / "docs/doors.md").read_text("utf-8")
    sentences, command = refusal(done.stderr)
    assert len(sentences) == 1
    assert command[-1] == "aws_region=us-east-1"


@pytest.mark.parametrize("version", VERSIONS)
def test_the_other_answers_can_be_pasted(version: str, tmp_path: Path) -> None:
    """With the answer at the end of the printed command changed."""
    answers = {
        "project_name": 'Mae\'s "corner" shop & $HOME',
        "description": "50 % off; it's `so`.",
        "layout": "multi",
        "iac": "cdk",
        "database_name": "app",
    }
    given = [f"{name}={answer}" for name, answer in answers.items()]
    done = cookiecutter(tmp_path, "aws_region=Frankfurt", *given, version=version)
    _, command = refusal(done.stderr)
    assert not [word for word in command if word.startswith(("database_name=", "ci="))]
    assert command[-1] == "aws_region=us-east-1"
    line = re.sub("us-east-1$", "eu-west-1", done.stderr.strip())
    line = line.rpartition("\n")[2]
    home = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    subprocess.run(["bash", "-euc", line], env={**os.environ, **home}, check=True)
    [project] = tmp_path.glob("*/.answers.json")
    baked = json.loads(project.read_text("utf-8"))
    assert baked.items() >= {**answers, "aws_region": "eu-west-1"}.items()


def test_the_command_names_the_template_as_it_was_named(tmp_path: Path) -> None:
    """But for a login, which nobody else is to see."""
    named = {"_template": "https://me:s3cret@git.example.com/atlas", "_checkout": "v1.0.0"}
    sentences, command = refusal(judge(tmp_path, aws_region="x", _output_dir="/out", **named))
    assert len(sentences) == 1
    start = command.index("https://git.example.com/atlas")
    options = command[start + 1 : start + 6]
    assert options == ["--no-input", "--checkout", "v1.0.0", "--output-dir", "/out"]
    assert "s3cret" not in " ".join(command)


def test_the_command_is_of_the_tool_that_bakes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV", "/usr/bin/uv")
    _, command = refusal(judge(tmp_path, aws_region="x"))
    assert command[:3] == ["uvx", "cookiecutter", "template"]
    _, command = refusal(judge(tmp_path, aws_region="x", _commit="83d8c97"))
    assert command[:4] == ["uvx", "cruft", "create", "template"]
    assert json.loads(command[-1])["aws_region"] == "us-east-1"


def test_a_choice_that_is_not_on_offer_is_refused_by_cookiecutter(tmp_path: Path) -> None:
    """With the answer, the choices and nothing on disk, before any hook of ours can run."""
    with pytest.raises(ValueError, match=r"multiple .* layout, .* \['single', 'multi', 'multi-l"):
        bake(tmp_path, layout="multiple")
    assert list(tmp_path.iterdir()) == []


def test_a_slug_with_a_slash_leaves_no_file(tmp_path: Path) -> None:
    """Cookiecutter makes the folder before any hook runs, and then leaves the one above it."""
    assert "project_slug must be" in cookiecutter(tmp_path, "project_slug=a/b").stderr
    assert list(tmp_path.rglob("*")) == [tmp_path / "a"]


@pytest.mark.parametrize("answer", ["{{ secret }}", "{% raw %}", "{{ 1 / 0 }}"])
def test_jinja_that_fails_is_refused_by_cookiecutter(answer: str, tmp_path: Path) -> None:
    """It runs answers that aren't typed, before any hook of ours can judge them."""
    done = cookiecutter(tmp_path, f"description={answer}")

    assert done.returncode != 0
    assert list(tmp_path.iterdir()) == []


def test_the_package_shadows_no_module(tmp_path: Path) -> None:
    """No slug yields a package that hides a module of Python or of a dependency."""
    locked = "".join(
        path.read_text("utf-8") for path in (TEMPLATE / "templates/uv.lock").glob("*.lock")
    )
    distributions = set(re.findall(r'^name = "([a-z0-9-]+)"', locked, re.MULTILINE))
    assert "pymongo" in distributions
    modules = {
        module
        for module, names in importlib.metadata.packages_distributions().items()
        if distributions & {re.sub(r"[-_.]+", "-", name).lower() for name in names}
    }
    assert modules >= {"aws_lambda_powertools", "boto3", "bson", "pymongo"}
    for module in modules | sys.stdlib_module_names:
        if re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", module):
            slug = module.replace("_", "-")
            assert "must not be a name" in judge(tmp_path, project_slug=slug), slug


# What a team's defaults become


def team(folder: Path, *lines: str) -> Path:
    """A user config with those defaults."""
    config = folder / "team.yaml"
    config.write_text("\n  ".join(["default_context:", *lines, ""]), "utf-8")
    return config


@pytest.mark.parametrize("version", VERSIONS)
def test_defaults_that_were_dropped_are_told(version: str, tmp_path: Path) -> None:
    """And come with the command that is printed."""
    config = team(tmp_path, "ci: none", "python_version: 3.12", "aws_region: eu-west-1")
    done = cookiecutter(tmp_path / "out", config=config, version=version)

    warning, _, said = done.stderr.partition("\n\n")
    assert "Invalid default received: 3.12" in warning
    sentences, command = refusal(said)
    assert sentences == [
        f'python_version in {config} must be in quotes, such as python_version: "3.12".',
        "Cookiecutter has dropped what follows it there: aws_region.",
    ]
    assert list((tmp_path / "out").iterdir()) == []
    given = [word for word in command if "=" in word]
    done = cookiecutter(tmp_path / "out", *given, config=config, version=version)
    assert done.returncode == 0, done.stderr
    answers = BakedProject(tmp_path / "out/orders-service", {}).parse(".answers.json")
    got = {name: answers[name] for name in ("ci", "python_version", "aws_region")}
    assert got == {"ci": "none", "python_version": "3.12", "aws_region": "eu-west-1"}


def test_a_default_that_is_not_on_offer_is_told(tmp_path: Path) -> None:
    config = team(tmp_path, "network: peeering")
    sentences, command = refusal(
        cookiecutter(tmp_path / "out", config=config).stderr.partition("\n\n")[2]
    )
    choices = "'private-endpoint', 'peering', 'nat', 'public'"
    assert sentences == [f"network in {config} must be one of {choices}, not 'peeering'."]
    assert command[-1] == "network=private-endpoint"


def test_a_default_that_yaml_changes_is_told(tmp_path: Path) -> None:
    config = team(tmp_path, "project_name: 123", "database_name: on")
    sentences, command = refusal(cookiecutter(tmp_path / "out", config=config).stderr)
    assert sentences == [
        f'database_name in {config} must be in quotes, such as database_name: "on".'
    ]
    assert command[-1] == "database_name=on"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a hook doesn't see options")
@pytest.mark.parametrize("option", ["--config-file", "--default-config"])
def test_options_name_the_user_config(option: str, tmp_path: Path) -> None:
    config = team(tmp_path, "python_version: 3.12")
    if option == "--config-file":
        done = cookiecutter(tmp_path / "out", f"{option}={config}")
        assert f"python_version in {config} must be" in done.stderr
    else:
        done = cookiecutter(tmp_path / "out", option, config=config)
        assert done.returncode == 0


def test_defaults_that_were_answered_otherwise_are_no_fault(tmp_path: Path) -> None:
    config = team(tmp_path, "python_version: 3.12", "aws_region: eu-west-1")
    given = ("python_version=3.11", "aws_region=eu-west-2")
    done = cookiecutter(tmp_path / "out", *given, config=config)
    assert done.returncode == 0, done.stderr


def test_defaults_of_other_templates_are_no_fault(tmp_path: Path) -> None:
    config = team(tmp_path, "full_name: Me", "github_username: me", "license: MIT")
    done = cookiecutter(tmp_path / "out", config=config)
    assert done.returncode == 0
    assert "WARNING" not in done.stdout


def test_a_misspelt_default_is_told(tmp_path: Path) -> None:
    config = team(tmp_path, "full_name: Me", "aws_regoin: eu-west-1")
    done = cookiecutter(tmp_path / "out", config=config)
    assert done.returncode == 0
    warning = f"WARNING: {config} has aws_regoin, which isn't an answer. Is aws_region meant?"
    assert done.stdout.splitlines()[-1] == warning


# What is accepted

ACCEPTED = [
    ("project_name", "x"),
    ("project_name", "x" * 60),
    ("project_name", 'Müller & "Söhne" # 1: <b>50 %</b> \\ ${PATH} 👩‍👩‍👧'),
    ("project_name", "שירות הזמנות"),
    ("project_slug", "x"),
    ("project_slug", "x1-2-3"),
    ("project_slug", "x" * 40),
    ("description", "-"),
    ("description", "€" * 200),
    ("description", "\U0001f9ed" * 200),
    ("description", "it's 'so' \"called\" '''quoting''' \"\"\" and \\"),
    ("description", "- !Ref Api: [a, b] # {c} & *d @e `f` %g |h >i"),
    ("description", "!Sub ${AWS::StackName} {resolve:x}"),
    ("description", "</pre> <!-- ``` ~~~ ---"),
    ("description", "\ufeffmarks\u200f and \u202eoverrides\u202c, private \ue000"),
    ("database_name", "x" * 38),
    ("database_name", "заказы"),
    ("database_name", "on"),
    ("database_name", "0123"),
    ("database_name", "1e3"),
    ("database_name", "~"),
    ("database_name", "&a"),
    ("database_name", "a#;b"),
    ("database_name", "{a"),
    ("database_name", "'a'"),
    ("aws_region", "ap-southeast-7"),
    ("aws_region", "us-gov-west-1"),
    ("aws_region", "cn-northwest-1"),
    ("aws_region", "us-isob-east-1"),
    ("aws_region", "eusc-de-east-1"),
]


@pytest.mark.slow  # for their number
@pytest.mark.parametrize(("name", "answer"), ACCEPTED)
def test_a_good_answer_arrives_intact(name: str, answer: str, tmp_path: Path, baked: Baker) -> None:
    answers = {"project_slug": "orders", name: answer}
    assert_intact(bake(tmp_path, **answers), baked(), **answers)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Orders Service", "orders-service"),
        ("Bestellungen für Ümläute", "bestellungen-fur-umlaute"),
        ("24/7 Orders", "orders"),
        ("🧭", "service"),
        ("The " + "very " * 10 + "long", "the-very-very-very-very-very-very-very"),
        ("x" * 60, "x" * 40),
    ],
)
def test_the_slug_is_derived_from_the_name(name: str, slug: str, tmp_path: Path) -> None:
    assert bake(tmp_path, project_name=name).answers["project_slug"] == slug


def test_typed_at_a_terminal(tmp_path: Path) -> None:
    done = cookiecutter(tmp_path, typed=["Shop", "", 'Sells "things".', "3", "2", "2", "4"])

    assert done.returncode == 0, done.stdout
    project = BakedProject(tmp_path / "shop", {})
    assert project.parse("pyproject.toml")["project"]["description"] == 'Sells "things".'
    assert {"src/shop/client.py", "tests/test_rotation.py", "cdk.json"} <= project.files
    assert "WARNING" in done.stdout


# Hypothesis looks for what these tables miss

PIECES = [
    *"\"'\\`#:,-!&*?|>@%$<=~[](){} \t\n",
    *("{{", "}}", "{%", "%}", "{#", "#}", "${", "!Ref", "!Sub ", "'''", '"""', "```", "---", "..."),
    *("<!--", "<pre>", "](", "[a]: ", "\\u", "\\N{", "%(x)s", "\\\n", " #", ": ", "- ", "null"),
    *(
        "é",
        "e\u0301",
        "שלום",
        "مرحبا",
        "\u200f",
        "\u202e",
        "👩‍👩‍👧",
        "\ufeff",
        "\u2028",
        "\x00",
        "\ue000",
    ),
]
ANYTHING = st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text(max_size=210)


# The same examples each time, and no shrinking, keep `make check` quick and steady.
QUICK = settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
)
DEEP = settings(max_examples=30, deadline=None)


def is_line(text: str) -> bool:
    return text == text.strip() != "" and not any(mark in text for mark in ("{{", "{%", "{#"))


def lines(longest: int) -> st.SearchStrategy[str]:
    """Text that must be accepted, if it is prose."""
    character = st.characters(
        codec="utf-8", exclude_categories=["Cc", "Cn", "Cs", "Zl", "Zp"]
    ) | st.sampled_from([piece for piece in PIECES if len(piece) == 1 and piece >= " "])
    return st.text(character, min_size=1, max_size=longest).filter(is_line)


PROSE = st.fixed_dictionaries(
    {"project_name": lines(60), "description": lines(200), "project_slug": st.just("orders")}
)
ONE_ANSWER = st.tuples(
    st.sampled_from([name for name in FREE_TEXT if name != "project_slug"]), ANYTHING
)


def check_prose(answers: Mapping[str, str], base: BakedProject) -> None:
    with TemporaryDirectory() as folder:
        assert_intact(bake(Path(folder), **answers), base, **answers)


def check_any(name: str, answer: str, base: BakedProject) -> None:
    """Typed or given, an answer is refused and leaves nothing, or yields the same sound project."""
    with TemporaryDirectory() as folder:
        given, typed = Path(folder, "given"), Path(folder, "typed")
        given.mkdir()
        typed.mkdir()
        answers = {"project_slug": "orders", name: answer}
        project = bake_or_refuse(given, bake, answers)
        if project:
            assert_intact(project, base, **answers)
        if answer.strip() == answer != "" and "\n" not in answer and "\r" not in answer:
            same = bake_or_refuse(typed, bake_typed, answers)
            assert bool(same) == bool(project)
            if project and same:
                assert same.contents == project.contents


@settings(deadline=None)
@given(PROSE)
def test_literals_mean_the_same_in_every_language(answers: dict[str, str]) -> None:
    context = context_of(**answers)
    for name in ("project_name", "description", "database_name"):
        literal = context[f"__{name}_literal"]
        assert yaml.safe_load(f"x: {literal}") == {"x": context[name]}
        assert tomllib.loads(f"x = {literal}") == {"x": context[name]}
        assert json.loads(literal) == ast.literal_eval(literal) == context[name]


@QUICK
@given(PROSE)
def test_prose_arrives_intact(baked: Baker, answers: Mapping[str, str]) -> None:
    check_prose(answers, baked())


@QUICK
@given(ONE_ANSWER)
@example(("description", "{{ 6 * 7 }}"))
@example(("description", "{% raw %}"))
@example(("description", "{# gone #}"))
def test_any_answer_is_refused_or_arrives_intact(baked: Baker, one: tuple[str, str]) -> None:
    check_any(*one, baked())


@pytest.mark.slow
@DEEP
@given(PROSE)
def test_prose_arrives_intact_deep(baked: Baker, answers: Mapping[str, str]) -> None:
    check_prose(answers, baked())


@pytest.mark.slow
@DEEP
@given(ONE_ANSWER)
def test_any_answer_is_refused_or_arrives_intact_deep(baked: Baker, one: tuple[str, str]) -> None:
    check_any(*one, baked())


# Helpers


def refusal(printed: str) -> tuple[list[str], list[str]]:
    """The sentences in what is printed, and the words of the command after them."""
    sentences, _, command = printed.strip("\n").split("\n\n")
    return sentences.split("\n"), shlex.split(command)


def cookiecutter(
    output_dir: Path,
    *answers: str,
    typed: list[str] | None = None,
    version: str = "current",
    config: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run the command as people do, with a home of its own; typed lines end in Enter."""
    keys = [] if typed is None else typed + [""] * (len(PROMPTS) - len(typed))
    with TemporaryDirectory() as home:
        environment = {**os.environ, "HOME": home, "USERPROFILE": home, "PYTHONUTF8": "1"}
        environment.pop("UV", None)  # uv may run these tests
        if config:
            environment["COOKIECUTTER_CONFIG"] = str(config)
        return subprocess.run(
            [
                *(str(COOKIECUTTERS[version]), "-m", "cookiecutter", str(TEMPLATE), *answers),
                *("--output-dir", str(output_dir)),
                *(["--no-input"] if typed is None else []),
            ],
            input="".join(key + "\n" for key in keys),
            env=environment,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )


def leftovers(folder: Path) -> list[Path]:
    """Everything below the folders that pytest-cookies makes for its bakes."""
    return [path for path in folder.rglob("*") if path.name not in ("cookies", "bake00")]


def bake_or_refuse(output_dir: Path, how: Any, answers: Mapping[str, str]) -> BakedProject | None:
    """Bake, or see to it that a refusal leaves nothing behind."""
    try:
        project: BakedProject = how(output_dir, **answers)
    except Exception:
        assert list(output_dir.iterdir()) == []
        return None
    return project


def assert_intact(project: BakedProject, base: BakedProject, **answers: str) -> None:
    """Every file parses, and the answers are in the parsed values, letter by letter.

    The base is a project with default answers: the outline of the README must be the same.
    """
    for name in project.files:
        project.parse(name)
    expected = {**project.answers, **answers}

    assert project.parse("pyproject.toml")["project"]["name"] == expected["project_slug"]
    assert project.parse("pyproject.toml")["project"]["description"] == expected["description"]
    template = project.parse("template.yaml")
    assert template["Description"] == expected["description"]
    variables = template["Globals"]["Function"]["Environment"]["Variables"]
    assert variables["MONGODB_DATABASE"] == expected["database_name"]
    region = project.parse("samconfig.toml")["default"]["global"]["parameters"]["region"]
    assert region == expected["aws_region"]

    readme = project.read("README.md").split("\n")
    assert readme[:4] == [f"# {expected['project_name']}", "", f"> {expected['description']}", ""]
    assert outline(project)[0] == ("h1", readme[0])
    assert outline(project)[1:] == outline(base)[1:]


def outline(project: BakedProject) -> list[tuple[str, str]]:
    """The top-level blocks of the README; of all but headings only the kind."""
    lines = project.read("README.md").split("\n")
    return [
        (token.tag, lines[token.map[0]] if token.tag.startswith("h") else "")
        for token in project.parse("README.md")
        if token.level == 0 and token.nesting >= 0 and token.map
    ]
