"""Checks the answers: a sentence on stderr for each that can't be used, and then no project.

Else it moves files aside that were here before and that the bake would overwrite for nothing:
post_gen_project.py has the other half of that.

Cookiecutter renders this file before it runs it, with whatever Python it has itself (3.8 or
later), in the project's folder. So Jinja's opening marks must not stand here, except where the
answers come in.
"""

from __future__ import annotations

import difflib
import json
import keyword
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

ANSWERS: dict[str, Any] = json.loads(r"""{{ cookiecutter | tojson }}""")
# The same before anything was typed and before Cookiecutter rendered them, a choice as the list of
# what is on offer, default first. Replays have no such lists, and cruft tells nothing of it.
GIVEN: dict[str, Any] = json.loads(r"""{{ _cookiecutter | default({}) | tojson }}""")
# Where Cookiecutter was called: it is elsewhere by now. Windows doesn't say.
CALLED_IN = os.environ.get("PWD", "")


def first(offer: Any) -> str:
    """Return the default in what is on offer: a list of choices, or else text."""
    return str(offer[0] if isinstance(offer, list) else offer)


def usual_answers() -> dict[str, str]:
    """Return the template's defaults, in the order of the prompts, where a hook can find it."""
    try:
        file = Path(CALLED_IN, ANSWERS["_repo_dir"], "cookiecutter.json")
        offers = json.loads(file.read_text("utf-8"))
    except (KeyError, OSError):
        return {}
    return {it: first(offers[it]) for it in offers if it in ANSWERS and not it.startswith("_")}


USUAL = usual_answers()
NAMES = [*USUAL] or [name for name in ANSWERS if not name.startswith("_")]

PACKAGE = "src/" + ANSWERS["__package"]
SEVERAL = {"layout": ["multi", "multi-lambda", "web"]}
CDK = {"iac": ["cdk"]}
SAM = {"iac": ["sam"]}
JWT = {"api_auth": ["jwt"]}
SNAPSTART = {"snapstart": ["yes"]}
VPC = {"network": ["private-endpoint", "peering", "nat"]}

# Every file that some projects don't have, and the answers of those that do.
VARIANTS: dict[str, dict[str, list[str]]] = {
    f"{PACKAGE}/app.py": {"layout": ["single", "multi", "web"]},
    f"{PACKAGE}/api.py": SEVERAL,
    f"{PACKAGE}/caller.py": JWT,
    f"{PACKAGE}/client.py": SEVERAL,
    f"{PACKAGE}/events.py": SEVERAL,
    f"{PACKAGE}/functions/__init__.py": SEVERAL,
    f"{PACKAGE}/functions/create_indexes.py": SEVERAL,
    f"{PACKAGE}/functions/create_item.py": SEVERAL,
    f"{PACKAGE}/functions/delete_item.py": SEVERAL,
    f"{PACKAGE}/functions/get_item.py": SEVERAL,
    f"{PACKAGE}/functions/list_items.py": SEVERAL,
    f"{PACKAGE}/items.py": SEVERAL,
    f"{PACKAGE}/snapshot.py": SNAPSTART,
    "openapi.json": SEVERAL,
    "scripts/new_function.py": SEVERAL,
    "scripts/openapi.py": SEVERAL,
    "tests/test_app.py": {"layout": ["single"]},
    "tests/test_caller.py": JWT,
    "tests/test_items.py": SEVERAL,
    "tests/test_openapi.py": SEVERAL,
    "tests/test_rotation.py": {"auth": ["password"]},
    "tests/test_snapshot.py": SNAPSTART,
    "docs/callers.md": JWT,
    "docs/snapstart.md": SNAPSTART,
    "template.yaml": SAM,
    "samconfig.toml": SAM,
    "src/Makefile": SAM,
    "cdk.json": CDK,
    "package.json": CDK,
    "package-lock.json": CDK,
    "tests/test_infra.py": CDK,
    "tests/test_template.py": SAM,
    "infra/__init__.py": CDK,
    "infra/api.py": CDK,
    "infra/app.py": CDK,
    "infra/code.py": CDK,
    "infra/dashboard.py": CDK,
    "infra/database.py": CDK,
    "infra/service.py": CDK,
    "infra/service_function.py": CDK,
    "infra/settings.py": CDK,
    "infra/stack.py": CDK,
    "infra/access_list.py": {**CDK, "network": ["public"], "atlas_setup": ["stack"]},
    "infra/network.py": {**CDK, **VPC},
    "atlas-bootstrap.yaml": {"atlas_setup": ["stack"]},
    "docs/github.md": {"ci": ["github"]},
    ".github/dependabot.yml": {"ci": ["github"]},
    ".github/deploy-role.yaml": {"ci": ["github"]},
    ".github/requirements.txt": {"ci": ["github"]},
    ".github/workflows/ci.yml": {"ci": ["github"]},
    ".github/workflows/deploy.yml": {"ci": ["github"]},
}
# Where files are while the bake takes their place, and what post_gen_project.py has to know.
ASIDE = Path(".cookiecutter-aside")

JINJA = tuple("{" + mark for mark in "#%{")

# Modules of Python 3.11 to 3.14. The package is found before them, and would be imported instead.
STDLIB = """
    abc aifc annotationlib antigravity argparse array ast asynchat asyncio asyncore atexit audioop
    base64 bdb binascii bisect builtins bz2 calendar cgi cgitb chunk cmath cmd code codecs codeop
    collections colorsys compileall compression concurrent configparser contextlib contextvars
    copy copyreg crypt csv ctypes curses dataclasses datetime dbm decimal difflib dis distutils
    doctest email encodings ensurepip enum errno faulthandler fcntl filecmp fileinput fnmatch
    fractions ftplib functools gc genericpath getopt getpass gettext glob graphlib grp gzip
    hashlib heapq hmac html http idlelib imaplib imghdr imp importlib inspect io ipaddress
    itertools json keyword lib2to3 linecache locale logging lzma mailbox mailcap marshal math
    mimetypes mmap modulefinder msilib msvcrt multiprocessing netrc nis nntplib nt ntpath
    nturl2path numbers opcode operator optparse os ossaudiodev pathlib pdb pickle pickletools
    pipes pkgutil platform plistlib poplib posix posixpath pprint profile pstats pty pwd
    py_compile pyclbr pydoc pydoc_data pyexpat queue quopri random re readline reprlib resource
    rlcompleter runpy sched secrets select selectors shelve shlex shutil signal site smtpd smtplib
    sndhdr socket socketserver spwd sqlite3 sre_compile sre_constants sre_parse ssl stat
    statistics string stringprep struct subprocess sunau symtable sys sysconfig syslog tabnanny
    tarfile telnetlib tempfile termios test textwrap this threading time timeit tkinter token
    tokenize tomllib trace traceback tracemalloc tty turtle turtledemo types typing unicodedata
    unittest urllib uu uuid venv warnings wave weakref webbrowser winreg winsound wsgiref xdrlib
    xml xmlrpc zipapp zipfile zipimport zlib zoneinfo
"""
# Likewise what the function bundles, what Lambda's runtime client and the tools use, the scripts,
# and the folders beside the package.
OTHERS = """
    access annotated_doc annotated_types anyio ast_serialize atlas attr attrs aws_cdk
    aws_lambda_powertools awscdk_resources_mongodbatlas awslambdaric boto3 botocore bson build
    cattr cattrs cdk_nag click colorama conftest constructs dateutil deploy dist dns environment
    fastapi gridfs h11 idna infra iniconfig jmespath jsii librt local mangum mongodb mypy
    mypy_boto3_secretsmanager mypy_extensions mypyc network new_function openapi opentelemetry
    packaging pathspec pluggy publication py pydantic pydantic_core pygments pymongo
    pymongo_auth_aws pytest ruff runtime_client s3transfer scripts simplejson six
    snapshot_restore_py src starlette tests tomlkit typeguard typing_extensions typing_inspection
    urllib3 uvicorn
"""
IMPORTED = frozenset(STDLIB.split() + OTHERS.split())
DEVICES = re.compile(r"con|prn|aux|nul|com[0-9]|lpt[0-9]")


def slug_fault(slug: str) -> str | None:
    """Say why it can't be the name of the folder, the package and the stack."""
    package = slug.replace("-", "_")
    if len(slug) > 40 or not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", slug):
        return "must be 1 to 40 of a-z, 0-9 and single hyphens, a letter first and no hyphen last"
    if keyword.iskeyword(package) or package in IMPORTED:
        return "must not be a name that Python, a dependency or the project itself uses already"
    if DEVICES.fullmatch(slug):
        return "must not be the name of a device on Windows"
    return None


def text_fault(text: str, longest: int) -> str | None:
    """Say why it can't be a line of prose in Markdown, YAML, TOML, JSON and Python alike."""
    if not (1 <= len(text) <= longest and text == text.strip() and all(map(writable, text))):
        return f"must be 1 to {longest} characters on one line, with no space at either end"
    return None


def writable(character: str) -> bool:
    """Tell a character from a control, a line separator, half a surrogate pair, a noncharacter."""
    code = ord(character)
    return not (
        unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
        or 0xFDD0 <= code <= 0xFDEF
        or code & 0xFFFE == 0xFFFE
    )


def database_fault(name: str) -> str | None:
    """Say why a database can't have that name, on any platform or on Atlas's free clusters."""
    # https://www.mongodb.com/docs/manual/reference/limits/#naming-restrictions
    # https://www.mongodb.com/docs/atlas/reference/free-shared-limitations/
    # The Atlas CLI takes a user's roles as role@database,role@database.
    if not (name and name.isprintable()) or re.search(r'[/\\. "$*<>:|?@,]', name):
        return 'must be printable, with no space and none of / \\ . " $ * < > : | ? @ ,'
    if len(name.encode()) > 38:
        return "must be no longer than 38 bytes of UTF-8"
    if name.lower() in ("admin", "config", "local"):
        return "must not be admin, config or local, which are MongoDB's own"
    return None


def region_fault(region: str) -> str | None:
    """Say why it can't be a Region. Which ones there are changes too often to list."""
    if not re.fullmatch(r"[a-z]{2,4}(-[a-z]+){1,2}-[0-9]{1,2}", region):
        return "must be the code of an AWS Region"
    return None


RULES: dict[str, tuple[Callable[[str], str | None], str]] = {
    "project_name": (lambda name: text_fault(name, 60), "Orders Service"),
    "project_slug": (slug_fault, "orders-service"),
    "description": (lambda text: text_fault(text, 200), "Keeps the orders of our customers."),
    "database_name": (database_fault, "app"),
    "aws_region": (region_fault, "us-east-1"),
}


def jinja_fault(name: str, answer: str) -> str | None:
    """Say why it can't hold Jinja.

    Cookiecutter leaves a typed answer alone but runs one that comes in any other way, such as
    --no-input or an update by cruft: the same answer would make two different projects.
    """
    given = "" if name == "project_slug" else str(GIVEN.get(name))  # the slug's default is Jinja
    if any(mark in text for text in (answer, given) for mark in JINJA):
        return "must not contain {} or {} or {}, which Jinja would run".format(*JINJA)
    return None


def answer_faults() -> tuple[list[str], dict[str, str]]:
    """Return a sentence for each answer that can't be used, and an example of what can."""
    sentences, examples = [], {}
    for name, (rule, example) in RULES.items():
        answer = str(ANSWERS[name])
        fault = jinja_fault(name, answer) or rule(answer)
        if fault:
            sentences.append(f"{name} {fault}, such as {example!r}, not {answer!r}.")
            examples[name] = example
    # https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html
    if (ANSWERS["snapstart"], ANSWERS["python_version"]) == ("yes", "3.11"):
        sentences.append(
            "python_version must be 3.12 or newer for SnapStart (snapstart='yes'), "
            "such as '3.13', not '3.11'."
        )
        examples["python_version"] = "3.13"
    return sentences, examples


def user_config() -> Path | None:
    """Return the user config that Cookiecutter has read, as far as a hook can know.

    Only Linux shows whether an option has named it.
    """
    try:
        call = Path(f"/proc/{os.getppid()}/cmdline").read_bytes().decode("utf-8")
    except (OSError, ValueError):
        call = ""
    if "\0--default-config\0" in call:
        return None
    named = re.findall(r"\0--config-file[=\0]([^\0]+)", call)
    file = named[-1] if named else os.environ.get("COOKIECUTTER_CONFIG", "~/.cookiecutterrc")
    return Path(CALLED_IN, Path(file).expanduser())


def user_defaults(file: Path | None) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the answers in a user config, as they are written and as YAML reads them."""
    if not file or not file.is_file() or not any(isinstance(it, list) for it in GIVEN.values()):
        return {}, {}
    try:
        import yaml  # Cookiecutter's own

        text = file.read_text("utf-8")
        written = yaml.load(text, yaml.BaseLoader)["default_context"]  # noqa: S506 (a safe one)
        read = yaml.safe_load(text)["default_context"]
        return {name: it for name, it in written.items() if isinstance(it, str)}, dict(read)
    except Exception:  # what else is wrong with it, Cookiecutter says
        return {}, {}


def default_faults(
    file: Path | None, written: dict[str, str], read: dict[str, Any]
) -> tuple[list[str], dict[str, str]]:
    """Return a sentence for each answer in a user config that didn't come as it is written there.

    At a choice that isn't on offer Cookiecutter warns, and drops that answer and all that follow:
    https://github.com/cookiecutter/cookiecutter/issues/2219
    """
    ours = [name for name in written if name in NAMES and name in GIVEN]
    offers = {name: GIVEN[name] for name in ours if isinstance(GIVEN[name], list)}
    wrong = [name for name in offers if read[name] not in offers[name]]
    start = ours.index(wrong[0]) if wrong else len(ours)
    if any(default(name) != str(read[name]) for name in ours[:start]):
        return [], {}  # Cookiecutter has read something else
    # A default of the template has come instead, or what YAML makes of the text.
    dropped = [name for name in ours[start:] if ANSWERS[name] == USUAL.get(name)]
    changed = [name for name in ours if str(ANSWERS[name]) == str(read[name])]
    lost = {it: written[it] for it in dropped + changed if str(ANSWERS[it]) != written[it]}
    sentences = []
    for name, asked in lost.items():
        if name in wrong and asked not in offers[name]:
            offer = ", ".join(map(repr, offers[name]))
            sentences.append(f"{name} in {file} must be one of {offer}, not {asked!r}.")
            lost[name] = default(name)
        elif name in wrong or name in changed:
            sentences.append(f'{name} in {file} must be in quotes, such as {name}: "{asked}".')
    rest = [name for name in dropped if name in lost and name not in wrong]
    if rest:
        sentences.append(f"Cookiecutter has dropped what follows it there: {', '.join(rest)}.")
    return sentences, lost


def default(name: str) -> str:
    """Return what the answer is when nothing is typed."""
    return first(GIVEN[name])


def misspelt(file: Path | None, written: dict[str, str]) -> list[str]:
    """Return a sentence for each name in a user config that is nearly one of an answer."""
    sentences = []
    for name in written:
        for meant in difflib.get_close_matches(name, NAMES, 1, 0.85):
            if name not in NAMES and meant not in written:
                sentences.append(f"{file} has {name}, which isn't an answer. Is {meant} meant?")
    return sentences


def again(examples: dict[str, str]) -> list[str]:
    """Return a command that bakes with the same answers, but with examples, which are last."""
    answers = {name: str(ANSWERS[name]) for name in NAMES if name not in examples}
    for name in [*answers]:
        if name in GIVEN and answers[name] == default(name) == USUAL.get(name):
            del answers[name]  # the template's default, and of no user config
    answers.update(examples)
    # A login or a token in a URL is for nobody who reads this.
    template = re.sub(r"^(https?://)[^/]*@", r"\1", str(ANSWERS["_template"]))
    options = ["--no-input"]
    if ANSWERS.get("_checkout"):
        options += ["--checkout", ANSWERS["_checkout"]]
    above = ANSWERS.get("_output_dir", str(Path.cwd().parent))
    if not (CALLED_IN and os.path.realpath(CALLED_IN) == os.path.realpath(above)):
        options += ["--output-dir", above]
    if "_commit" in ANSWERS:
        context = json.dumps(answers, ensure_ascii=False)
        return [*tool("cruft"), "create", template, *options, "--extra-context", context]
    given = [f"{name}={answer}" for name, answer in answers.items()]
    return [*tool("cookiecutter"), template, *options, *given]


def tool(name: str) -> list[str]:
    """Return how whoever reads this can call it."""
    if "UV" in os.environ:  # which has put its own copy on the PATH, for as long as this runs
        return ["uvx", name]
    return [name] if shutil.which(name) else [sys.executable, "-m", name]


def refusal(sentences: list[str], examples: dict[str, str]) -> str:
    """Return what is printed instead of a bake."""
    if "_commit" in ANSWERS and Path.cwd().parents[1] == Path(tempfile.gettempdir()).resolve():
        return "\n".join(sentences)  # an update by cruft
    words = again(examples)
    line = subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
    lead = "This keeps your other answers. Put yours in the place of the example at its end:"
    return "\n".join(["", *sentences, "", lead, "", f"  {line}", ""])


def make_way(notes: list[str]) -> None:
    """Move aside the files that stand where the bake writes files for other answers.

    Cookiecutter renders every file of the template, over the file that is there if there is one.
    """
    spare = [
        path
        for path, needed in VARIANTS.items()
        if any(ANSWERS[name] not in values for name, values in needed.items())
    ]
    folders = sorted({str(it) for path in VARIANTS for it in Path(path).parents if it.name})
    for folder in folders:
        if os.path.lexists(folder) and not Path(folder).is_dir():
            sys.exit(f"{folder} must be a folder or not be there: the template has files in it.")
    if (ASIDE / "files").exists():
        sys.exit(f"{ASIDE / 'files'} has your files, from a bake that was cut off: move them back.")
    bake = {
        "notes": notes,
        "written": [path for path in spare if not os.path.lexists(path)],
        "aside": [path for path in spare if os.path.lexists(path) and not Path(path).is_dir()],
        "folders": [folder for folder in folders if not os.path.lexists(folder)],
    }
    ASIDE.mkdir(exist_ok=True)
    (ASIDE / "bake.json").write_text(json.dumps(bake), "utf-8")
    moved = []
    try:
        for path in bake["aside"]:
            place = ASIDE / "files" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, str(place))
            moved.append(path)
    except OSError as error:
        for path in moved:
            shutil.move(str(ASIDE / "files" / path), path)
        shutil.rmtree(ASIDE)
        sys.exit(f"Your files can't be kept while the template is baked: {error}.")


def main() -> None:
    """Check the answers, then make way for the bake."""
    file = user_config()
    written, read = user_defaults(file)
    unlike, asked = default_faults(file, written, read)
    unfit, examples = answer_faults()
    if unlike or unfit:
        sys.exit(refusal(unlike + unfit, {**asked, **examples}))
    make_way(misspelt(file, written))


main()
