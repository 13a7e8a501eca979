"""scripts/refresh.py and scripts/pins.py: what is pinned is moved, and looked up."""

import base64
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from scripts import pins, refresh
from tests.support.baking import OPTIONS, TEMPLATE
from tests.support.here import HERE, SNAPSTART_HERE
from tests.support.servers import LOOPBACK

# Actions


def test_actions_are_pinned_by_the_newest_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its commit, whether the tag is annotated or not; never by a candidate or a moving tag."""
    annotated = repository(tmp_path / "acme/build", "v1.9.0", "v1.10.0", annotated=True)
    light = repository(tmp_path / "acme/deploy", "v2.0.0", "v2.0.1", "v3", "v2.1.0-rc.1")
    workflow = tmp_path / "workflow.yml"
    old = "0" * 40
    workflow.write_text(
        f"- uses: acme/build@{old} # v1.2\n"
        f"- uses: acme/build/restore@{old} # v1.2.0\n"
        f"  - uses: acme/deploy@{old} # v1.0.0\n"
        "- uses: ./.github/workflows/ci.yml\n"
    )
    monkeypatch.setattr(refresh, "workflows", lambda: iter([workflow]))
    for _ in range(2):  # the second time changes nothing
        refresh.pin_actions(tmp_path.as_uri())
        assert workflow.read_text() == (
            f"- uses: acme/build@{annotated['v1.10.0']} # v1.10.0\n"
            f"- uses: acme/build/restore@{annotated['v1.10.0']} # v1.10.0\n"
            f"  - uses: acme/deploy@{light['v2.0.1']} # v2.0.1\n"
            "- uses: ./.github/workflows/ci.yml\n"
        )


def test_an_action_that_is_gone_ends_the_refresh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow = tmp_path / "workflow.yml"
    workflow.write_text(text := f"- uses: acme/gone@{'0' * 40} # v1.2.0\n")
    monkeypatch.setattr(refresh, "workflows", lambda: iter([workflow]))
    with pytest.raises(SystemExit, match=r"failed: git ls-remote .*acme/gone"):
        refresh.pin_actions(tmp_path.as_uri())
    assert workflow.read_text() == text


def repository(path: Path, *tags: str, annotated: bool = False) -> dict[str, str]:
    """Make a git repository with a commit for each tag, and return the commits."""

    def git(*words: str) -> str:
        identity = ("-c", "user.name=x", "-c", "user.email=x@example.com")
        command = ["git", *identity, *words]
        return subprocess.run(
            command, cwd=path, check=True, stdout=subprocess.PIPE, text=True
        ).stdout.strip()

    path.mkdir(parents=True)
    git("init", "--quiet")
    commits = {}
    for tag in tags:
        git("commit", "--quiet", "--allow-empty", "-m", tag)
        git("tag", *(("-a", "-m", tag) if annotated else ()), tag)
        commits[tag] = git("rev-parse", "HEAD")
    return commits


def test_every_workflow_is_refreshed() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "*.yml", "*.yaml"], cwd=TEMPLATE, stdout=subprocess.PIPE, check=True
    )
    files = {TEMPLATE / name for name in tracked.stdout.decode().splitlines()}
    using = {file for file in files if refresh.PIN.search(file.read_text("utf-8"))}
    assert len(using) > 3
    assert using <= set(refresh.workflows())


# Locks


def test_the_pipelines_install_what_is_locked() -> None:
    versions = (TEMPLATE / "templates/versions.j2").read_text("utf-8")
    for name, package in {"uv": "uv", "sam": "aws-sam-cli"}.items():
        lock = TEMPLATE / f"requirements/{name}.txt"
        assert f'set {name} = "{refresh.locked_version(lock, package)}"' in versions


def test_every_lock_is_looked_up(tmp_path: Path) -> None:
    """Those of the projects for each runtime and processor on offer."""
    projects = set(refresh.locked_answers())
    assert projects == set(TEMPLATE.glob("templates/uv.lock/*"))
    exported = [tmp_path / f"{it.stem}.{kind}.txt" for it in projects for kind in ("lambda", "dev")]
    for path in exported:
        path.touch()
    targets = list(pins.targets(tmp_path))
    assert {target.lock for target in targets} == {
        *exported,
        *TEMPLATE.glob("requirements/*.txt"),
    }
    lambdas = [target for target in targets if target.wheels_only]
    combinations = len(OPTIONS["python_version"]) * len(OPTIONS["architecture"])
    assert len(set(lambdas)) == combinations * len(projects)
    assert set(pins.PACKAGE_LOCKS) == {
        *TEMPLATE.glob("requirements/*/package-lock.json"),
        *TEMPLATE.glob("templates/**/package-lock.json"),
    }


@pytest.mark.slow
def test_a_project_begins_with_the_versions_of_its_lock(tmp_path: Path) -> None:
    """uv completes the lock, and changes no version; one that is gone is told."""
    for lock, answers in refresh.locked_answers().items():
        here = SNAPSTART_HERE if "snapstart" in answers else HERE
        cache = os.environ.get("UV_CACHE_DIR", str(Path.home() / ".cache/uv"))
        assert pins.export(lock, answers | here, tmp_path, cache) == []
        text = (tmp_path / f"{lock.stem}.lambda.txt").read_text("utf-8")
        assert re.search(r"(?m)^pymongo==\S+", text)
        assert "--hash=sha256:" in text
        assert "pytest==" not in text
        lock = tmp_path / lock.name
        lock.write_text('[[package]]\nname = "pymongo"\nversion = "4.0.99"\n')
        assert pins.export(lock, answers | here, tmp_path, cache) == [
            f"{lock.name}: pymongo 4.0.99 is gone"
        ]


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a package index, which uv asks instead of its own."""
    root = tmp_path / "index"
    root.mkdir()
    with serving(root) as url:
        monkeypatch.setenv("UV_NO_CONFIG", "1")
        monkeypatch.setenv("UV_DEFAULT_INDEX", url)
        monkeypatch.delenv("UV_INDEX", raising=False)
        yield root


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve the files of a folder, and yield the URL."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer((LOOPBACK, 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{LOOPBACK}:{server.server_port}"
        server.shutdown()


def publish(index: Path, name: str, mark: str = "", tag: str = "py3-none-any") -> str:
    """Put release 1.0 of a package into the index, and return its line in a lock."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as wheel:
        info = f"{name}-1.0.dist-info"
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        wheel.writestr(f"{info}/METADATA", metadata)
        wheel.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        wheel.writestr(f"{info}/RECORD", "")
    folder = index / name
    folder.mkdir()
    file = folder / f"{name}-1.0-{tag}.whl"
    file.write_bytes(content.getvalue())
    digest = hashlib.sha256(content.getvalue()).hexdigest()
    link = f'<a href="{file.name}#sha256={digest}" {mark}>{file.name}</a>'
    (folder / "index.html").write_text(f"<!DOCTYPE html><html><body>{link}</body></html>")
    return f"{name}==1.0 --hash=sha256:{digest}\n"


@pytest.mark.slow
def test_what_is_wrong_with_a_lock(index: Path, tmp_path: Path) -> None:
    good = publish(index, "good")
    yanked = publish(index, "yanked", 'data-yanked="leaks passwords"')
    other = publish(index, "other")[:-65] + "0" * 64 + "\n"
    windows = publish(index, "windows", tag="cp313-cp313-win_amd64")

    def faults(*lines: str, platform: str = "aarch64-manylinux2014") -> list[str]:
        lock = tmp_path / "lock.txt"
        lock.write_text("".join(lines))
        target = pins.Target(lock, platform, "3.13", wheels_only=True)
        return pins.unresolved(target, str(tmp_path / "cache"))

    assert faults(good) == []
    assert faults(good, yanked) == ['lock.txt: `yanked==1.0` is yanked (reason: "leaks passwords")']
    for line in (windows, f"gone==1.0 --hash=sha256:{'0' * 64}\n", "good==1.0\n"):
        [fault] = faults(line)
        assert fault.startswith("lock.txt (aarch64-manylinux2014, Python 3.13) doesn't resolve:")
        assert line.partition("==")[0] in fault
    assert faults(windows, platform="windows") == []

    lock = tmp_path / "lock.txt"
    lock.write_text(good + yanked + windows)
    assert pins.missing_files(lock, str(tmp_path / "cache")) == []
    lock.write_text(good + other)
    assert pins.missing_files(lock, str(tmp_path / "cache")) == [
        "lock.txt: files of other==1.0 are gone, or others now"
    ]


@pytest.mark.slow
def test_what_is_wrong_with_a_lock_of_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "registry"
    root.mkdir()
    packages = {}
    with serving(root) as url:
        for name in ("good", "deprecated", "other", "gone"):
            integrity = (
                "sha512-" + base64.b64encode(hashlib.sha512(name.encode()).digest()).decode()
            )
            packages[f"node_modules/{name}"] = {"version": "1.0.0", "integrity": integrity}
            release = {
                "name": name,
                "version": "1.0.0",
                "dist": {"integrity": integrity, "tarball": f"{url}/{name}.tgz"},
            }
            if name == "deprecated":
                release["deprecated"] = "use good"
            if name != "gone":
                tags = {"latest": "1.0.0"}
                document = {"name": name, "dist-tags": tags, "versions": {"1.0.0": release}}
                (root / name).write_text(json.dumps(document))
        packages["node_modules/other"]["integrity"] = "sha512-AAAA"
        lock = tmp_path / "tool/package-lock.json"
        lock.parent.mkdir()
        lock.write_text(json.dumps({"packages": {"": {"name": "tool"}, **packages}}))
        monkeypatch.setenv("npm_config_registry", url)
        monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
        monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
        faults = pins.unavailable(lock)
    assert faults[:2] == [
        "tool/package-lock.json: deprecated@1.0.0 is deprecated: use good",
        "tool/package-lock.json: other@1.0.0 is another file now",
    ]
    [gone] = faults[2:]
    assert gone.startswith("tool/package-lock.json: gone@1.0.0: ")


# Runtimes


@pytest.mark.parametrize(
    ("python", "deprecated", "fault"),
    [
        ("3.13", "2020-01-01", "Lambda deprecated Python 3.13 on 2020-01-01: offer it no longer"),
        ("3.99", "9999-01-01", "Lambda has Python 3.99: offer it"),
    ],
)
def test_the_runtimes_on_offer_are_lambdas(
    python: str, deprecated: str, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lifecycle = tmp_path / "lifecycle.json"
    monkeypatch.setattr(pins, "LIFECYCLE", lifecycle)
    known = {f"python{one}": {"deprecated": "9999-01-01"} for one in OPTIONS["python_version"]}
    known |= {"python3.6": {"deprecated": "2022-07-18"}, "nodejs24.x": {"deprecated": "9999-01-01"}}
    lifecycle.write_text(json.dumps(known))
    assert pins.misplaced_runtimes() == []
    lifecycle.write_text(json.dumps(known | {f"python{python}": {"deprecated": deprecated}}))
    assert pins.misplaced_runtimes() == [fault]
