"""Builds what runs in Lambda: dependencies for its platform, the code, and bytecode.

    python scripts/build.py OUTPUT

Needs uv. The dependencies are the wheels that uv.lock names, checked by their hashes, so the Python
and the processor of this machine don't matter.
"""

import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
SOURCE = PROJECT / "src"
PYTHON = (PROJECT / ".python-version").read_text("utf-8").strip()
ARCHITECTURE = "{{ cookiecutter.architecture }}"


def build(output: Path) -> None:
    """Fill the output folder with the code root of the function."""
    output.mkdir(parents=True, exist_ok=True)
    install_dependencies(output)
    for package in sorted(path.parent for path in SOURCE.glob("*/__init__.py")):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(package, output / package.name, ignore=ignored, dirs_exist_ok=True)
    compile_bytecode(output)


def install_dependencies(output: Path) -> None:
    """Install the locked wheels for Lambda's Python and processor."""
    locked = uv("export", "--quiet", "--project", PROJECT, "--python", sys.executable,
                "--no-dev", "--no-emit-project", "--no-header")  # fmt: skip
    platform = {"arm64": "aarch64", "x86_64": "x86_64"}[ARCHITECTURE] + "-manylinux2014"
    uv("pip", "install", "--quiet", "--target", output, "--requirements", "-",
       "--python-version", PYTHON, "--python-platform", platform,
       "--only-binary", ":all:", "--require-hashes", "--no-deps", given=locked.stdout)  # fmt: skip
    shutil.rmtree(output / "bin", ignore_errors=True)  # command-line tools


def compile_bytecode(output: Path) -> None:
    """Precompile for the Lambda runtime, which then starts about three times as fast.

    The usual timestamps don't work: Lambda's copy of a file has another date, and Python would
    compile it again at every cold start. It trusts unchecked hashes.
    """
    found = uv("python", "find", "--no-project", "--no-python-downloads", PYTHON, check=False)
    if found.returncode:
        print(f"No Python {PYTHON} here to compile with, so cold starts will be slower.")
        print(f"To get it: uv python install {PYTHON}")
        return
    command = [found.stdout.strip(), "-I", "-m", "compileall", "-q", "-j", "0"]
    command += ["--invalidation-mode", "unchecked-hash", str(output)]
    subprocess.run(command, check=True)  # noqa: S603


def uv(
    *arguments: object, given: str | None = None, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run uv, with something on its standard input; end the build if it fails."""
    program = shutil.which("uv")
    if program is None:
        sys.exit("uv is needed to build: https://docs.astral.sh/uv/getting-started/installation/")
    command = [program, "--color=never", *map(str, arguments)]  # the CDK CLI wants colours
    result = subprocess.run(  # noqa: S603
        command, input=given, stdout=subprocess.PIPE, text=True, check=False
    )
    if check and result.returncode:
        sys.exit(result.returncode)
    return result


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python scripts/build.py OUTPUT")
    build(Path(sys.argv[1]).resolve())
