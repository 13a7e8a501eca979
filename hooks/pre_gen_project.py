"""Judges the answers: a sentence on stderr for each that can't be used, and then no project.

Cookiecutter renders this file before it runs it, with whatever Python it has itself (3.8 or
later). So Jinja's opening marks must not stand here, except where the answers come in.
"""

from __future__ import annotations

import json
import keyword
import re
import sys
import unicodedata
from collections.abc import Callable

ANSWERS = json.loads(r"""{{ cookiecutter | tojson }}""")
# The same before Cookiecutter rendered them, as it does with answers that aren't typed.
GIVEN = json.loads(r"""{{ _cookiecutter | default({}) | tojson }}""")

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
# Likewise what the function bundles, what tests use, scripts, and the folders beside the package.
OTHERS = """
    ast_serialize attr attrs aws_cdk aws_lambda_powertools awscdk_resources_mongodbatlas
    awslambdaric boto3 botocore bson build cattr cattrs cdk_nag colorama conftest constructs
    dateutil dist dns execution_environment gridfs infra iniconfig jmespath jsii librt local
    mongodb mypy mypy_boto3_secretsmanager mypy_extensions mypyc new_function packaging pathspec
    pluggy portable preflight publication py pygments pymongo pymongo_auth_aws pytest routes ruff
    runtime_client s3transfer scripts setup_atlas simplejson six snapshot_restore_py src tests
    typeguard typing_extensions urllib3
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


def faults() -> list[str]:
    """Return a sentence for each answer that can't be used."""
    sentences = []
    for name, (rule, example) in RULES.items():
        answer = str(ANSWERS[name])
        fault = jinja_fault(name, answer) or rule(answer)
        if fault:
            sentences.append(f"{name} {fault}, such as {example!r}, not {answer!r}.")
    return sentences


sys.exit("\n".join(faults()) or 0)
