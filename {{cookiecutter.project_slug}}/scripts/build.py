"""Builds what runs in Lambda: dependencies for its platform, the code, and bytecode.

    uv run --no-project scripts/build.py OUTPUT ARCHITECTURE

OUTPUT is a new or empty folder, ARCHITECTURE is arm64 or x86_64. The dependencies are the wheels
that uv.lock names, checked by their hashes, so this machine's Python and processor don't matter.
"""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
SOURCE = PROJECT / "src"
PYTHON = (PROJECT / ".python-version").read_text("utf-8").strip()
ELF = {"arm64": b"\x7fELF\xb7\0", "x86_64": b"\x7fELF\x3e\0"}  # magic number and machine
UNCHECKED = b"\1\0\0\0"  # in bytecode: to be used without a look at the source
LIMIT = 250 * 2**20  # Lambda's, unzipped
# Services of AWS that boto3 shall know in Lambda, beside those that `services` finds.
SERVICES: set[str] = set()
# Modules that read their own source, where a dependency brings them.
WITH_SOURCE = [
    "anyio/__init__.py",  # finds in it what to import lazily
    "anyio/abc/__init__.py",
]
UNUSED = [
    "**/*.[ch]",  # what extension modules were made of
    "**/*.pyi",  # for type checkers
    "*.dist-info/RECORD",  # for uninstalling
    "aws_lambda_powertools/event_handler/openapi/swagger_ui/*.min.*",  # a page that isn't served
]
# By the text, since the code may be for a newer Python than the one that runs this.
CLIENT = re.compile(r"""\.(?:client|resource|create_client)\(\s*(?:service_name=)?["']([\w-]+)""")
UNNAMED_CLIENT = re.compile(r"""\bboto3\.(?:client|resource)\(\s*(?:service_name=)?[^"'\s]""")
IMPORT = re.compile(r"(?m)^[ \t]*(?:from|import) +(\w[\w.]*)(?: +import[ (]+([\w\s,]+))?")


def build(output: Path, architecture: str) -> None:
    """Fill the folder with the code root of the function, and check it."""
    if output.exists() and any(output.iterdir()):
        sys.exit(f"{output} isn't empty: name a new folder.")
    if not re.fullmatch(r"3\.\d+", PYTHON):
        sys.exit(".python-version must be one of Lambda's Python versions, such as 3.13.")
    lock = uv("export", "--quiet", "--python", sys.executable, "--no-default-groups",
              "--no-emit-project", "--no-header", "--no-annotate")  # fmt: skip
    install_dependencies(output, lock, architecture)
    leave_out(output)
    python = find_python()
    if python:
        compile_dependencies(output, python)
    copy_code(output)
    if python:
        compile_bytecode(output, python)
    for fault in faults(output, lock, architecture, compiled=python is not None):
        sys.exit(f"The build is wrong: {fault}")
    for path in output.rglob("*"):  # Lambda's user reads them, whatever the umask is here
        path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o644))


def install_dependencies(output: Path, lock: str, architecture: str) -> None:
    """Install the locked wheels for Lambda's Python, processor and C library."""
    glibc = "2_17" if PYTHON == "3.11" else "2_34"  # of Amazon Linux 2, and of 2023
    platform = f"{architecture.replace('arm64', 'aarch64')}-manylinux_{glibc}"
    uv("pip", "sync", "-", "--quiet", "--target", output, "--python", sys.executable,
       "--python-version", PYTHON, "--python-platform", platform,
       "--only-binary", ":all:", "--require-hashes",
       "--link-mode", "copy", "--no-compile-bytecode", given=lock)  # fmt: skip
    shutil.rmtree(output / "bin", ignore_errors=True)  # command-line tools
    (output / ".lock").unlink(missing_ok=True)  # uv's own


def copy_code(output: Path) -> None:
    """Copy what is in src, but for what editors and tools leave there."""
    installed = {path.stem for path in output.iterdir()}
    for path in SOURCE.iterdir():
        if path.stem in installed:
            sys.exit(f"src/{path.name} has the name of a dependency: rename it.")
    ignored = shutil.ignore_patterns(".*", "*~", "*.egg-info", "__pycache__")
    shutil.copytree(SOURCE, output, ignore=ignored, dirs_exist_ok=True)
    (output / "Makefile").unlink(missing_ok=True)


def leave_out(output: Path) -> None:
    """Remove what Lambda has no use for, most of all boto3's models of services."""
    for pattern in UNUSED:
        for path in output.glob(pattern):
            path.unlink()
    models = [path for path in output.glob("boto*/data/*") if path.is_dir()]
    if unknown := SERVICES - {path.name for path in models}:
        sys.exit(f"SERVICES in scripts/build.py has {min(unknown)}, which boto3 doesn't know.")
    kept = services(output)
    for path in models:
        if path.name not in kept:
            shutil.rmtree(path)
    endpoints = output / "botocore/data/endpoints.json"
    if endpoints.is_file():
        shorten(endpoints)


def shorten(endpoints: Path) -> None:
    """Leave out services without a model: the first client of boto3 takes long to read them all."""
    models = endpoints.parent.glob("*/*/service-2.json.gz")
    described = [json.loads(gzip.decompress(path.read_bytes()))["metadata"] for path in models]
    kept = {it["endpointPrefix"] for it in described}
    document = json.loads(endpoints.read_bytes())
    for partition in document["partitions"]:
        services = partition["services"].items()
        partition["services"] = {prefix: it for prefix, it in services if prefix in kept}
    endpoints.write_text(json.dumps(document), "utf-8")


def services(packages: Path) -> set[str]:
    """Return SERVICES, and those whose clients src builds, or modules that it imports.

    These are looked for in the folder where the dependencies are installed.
    """
    found = set(SERVICES)
    modules: set[Path] = set()
    for path in SOURCE.rglob("[!.]*.py"):
        text = path.read_text("utf-8")
        if UNNAMED_CLIENT.search(text) and not SERVICES:
            sys.exit(
                f"{path.relative_to(PROJECT)} builds a client without the service's name: add that "
                'to SERVICES in scripts/build.py, as in {"s3"}.'
            )
        found.update(CLIENT.findall(text))
        for module, names in IMPORT.findall(text):
            for name in re.findall(r"\w+", names) or [""]:
                modules.update(files(packages, *f"{module}.{name}".strip(".").split(".")))
    for path in modules:
        found.update(CLIENT.findall(path.read_text("utf-8", "replace")))
    return found


def files(packages: Path, *name: str) -> Iterable[Path]:
    """Return the module's files: all of a package, but not of a distribution's whole."""
    path = packages.joinpath(*name)
    if path.is_dir():
        return path.glob("*.py") if len(name) == 1 else path.rglob("*.py")
    if path.with_suffix(".py").is_file():
        return [path.with_suffix(".py")]
    return files(packages, *name[:-1]) if len(name) > 1 else []  # the last is within the module


def find_python() -> str | None:
    """Return the Python to compile with, if it is here."""
    found = uv("python", "find", "--no-project", PYTHON, check=False).strip()
    if not found:
        print(f"No Python {PYTHON} here to compile with, so cold starts will be slower.")
        print(f"To get it: uv python install {PYTHON}")
    return found or None


def compile_dependencies(output: Path, python: str) -> None:
    """Put bytecode in the place of the source, without the columns that a traceback points at."""
    sources = {*output.rglob("*.py")}
    kept = {path for pattern in WITH_SOURCE for path in output.glob(pattern)}
    compile_bytecode(output, python, "-b", PYTHONNODEBUGRANGES="1")
    for path in sources:
        bytecode = path.with_suffix(".pyc")
        if path in kept:
            bytecode.unlink(missing_ok=True)
        elif bytecode.is_file():
            path.unlink()


def compile_bytecode(output: Path, python: str, *options: str, **variables: str) -> None:
    """Precompile for the Lambda runtime, which then starts about three times as fast.

    Not by timestamps, which Lambda's copies don't keep: each cold start would compile again.
    """
    command = [python, "-P", "-s", "-m", "compileall", "-q", "-j", "0", *options]
    command += ["--invalidation-mode", "unchecked-hash"]
    command += ["-s", str(output), "-p", "/var/task", str(output)]
    others = {name: it for name, it in os.environ.items() if not name.startswith("PYTHON")}
    if subprocess.run(command, check=False, env=others | variables).returncode:  # noqa: S603
        sys.exit("What is listed above doesn't compile.")


def faults(output: Path, lock: str, architecture: str, compiled: bool) -> Iterator[str]:
    """Yield what Lambda couldn't run, or would run slower."""
    locked = dict(re.findall(r"(?m)^(\w[\w.-]*)[^;\n]*(;?)", lock))  # with a marker, or not
    names = (path.name.split("-")[0] for path in output.glob("*.dist-info"))
    installed = {re.sub("[-_.]+", "-", name).lower() for name in names}
    for package in sorted(installed ^ locked.keys()):
        if not locked.get(package):  # a marker may say that it isn't for Lambda
            yield f"{package} is {'missing' if package in locked else 'not in uv.lock'}."

    tag = f"cpython-{PYTHON.replace('.', '')}"
    size = 0
    fitting: dict[Path, bool] = {}  # extension modules, which may be there for other versions, too
    for path in output.rglob("*"):
        name = path.relative_to(output)
        size += path.lstat().st_size
        if path.is_symlink():
            yield f"{name} is a symbolic link."
        if path.suffix == ".so" and (abi := re.search(r"\.(abi3|cpython-\d+)", path.name)):
            elf = path.read_bytes()[:20]
            fits = elf[:4] + elf[18:] == ELF[architecture] and abi[1] in ("abi3", tag)
            module = name.parent / name.name.split(".")[0]
            fitting[module] = fits or fitting.get(module, False)
        if path.suffix in (".py", ".pyc") and compiled:
            bytecode = path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc"
            bytecode = bytecode if path.suffix == ".py" else path
            if not bytecode.is_file() or bytecode.read_bytes()[4:8] != UNCHECKED:
                yield f"{name} has no bytecode that Lambda takes."
    for module, fits in fitting.items():
        if not fits:
            yield f"{module} isn't for Python {PYTHON} on {architecture}."
    if size > LIMIT:
        yield f"it has {size / 2**20:.0f} MB, and Lambda takes {LIMIT / 2**20:.0f} MB."


def uv(*arguments: object, given: str | None = None, check: bool = True) -> str:
    """Run uv and return its output; end the build if it fails.

    Indexes, proxies and caches are as uv is set up here. What else would change the result is
    overruled by arguments, or left out where uv takes none beside it.
    """
    program = shutil.which("uv")
    if program is None:
        sys.exit("uv is needed to build: https://docs.astral.sh/uv/getting-started/installation/")
    left_out = {"UV_BUILD_CONSTRAINT", "UV_COMPILE_BYTECODE", "UV_CONSTRAINT"}
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    command = [program, "--color=never", "--project", str(PROJECT), *map(str, arguments)]
    done = subprocess.run(  # noqa: S603
        command, cwd=PROJECT, env=environment, input=given, stdout=subprocess.PIPE, text=True
    )
    if check and done.returncode:
        sys.exit(done.returncode)
    return done.stdout


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[2] not in ELF:
        sys.exit("usage: uv run --no-project scripts/build.py OUTPUT arm64|x86_64")
    build(Path(sys.argv[1]).resolve(), sys.argv[2])
