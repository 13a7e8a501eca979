"""The stand-in for SnapStart: copies are copies, until something renews what they have."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.execution_environment import (
    EnvironmentLostError,
    ExecutionEnvironment,
    InitError,
)
from tests.support.snapshots import Snapshot

FUNCTION = """
import os, random, socket, sys, time, uuid
from bson import ObjectId
from snapshot_restore_py import register_after_restore, register_before_snapshot

listener = socket.create_server(("127.0.0.1", 0))
calls = []
register_before_snapshot(calls.append, "before, registered first")
register_before_snapshot(calls.append, "before, registered last")
register_after_restore(calls.append, "after, registered first")
register_after_restore(calls.append, "after, registered last")
print("INIT of", os.getpid())


def handler(event, context):
    print("invoked")
    calls.append("invoked")
    if event == "exit":
        sys.exit(3)
    return {
        "id": str(ObjectId())[8:],
        "random": random.random(),
        "pid": os.getpid(),
        "uuid": str(uuid.uuid4()),
        "time": time.time(),
        "left": context.get_remaining_time_in_millis(),
        "calls": calls,
        "type": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"],
        "keys": [name for name in os.environ if name.startswith("AWS_SE")],
    }
"""


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("code")
    (folder / "app.py").write_text(FUNCTION, "utf-8")
    return folder


@pytest.fixture(scope="module")
def snapshot(code: Path) -> Iterator[Snapshot]:
    with Snapshot(code, "app.handler") as snapshot:
        yield snapshot


def restored(snapshot: Snapshot, code: Path, later: float = 0.0) -> ExecutionEnvironment:
    return ExecutionEnvironment(code, "app.handler", snapshot=snapshot, later=later)


def test_a_snapshot_is_of_an_environment_after_its_hooks(snapshot: Snapshot, code: Path) -> None:
    assert snapshot.init_logs == f"INIT of {snapshot.pid}\n"
    assert snapshot.sockets == ["00000000:0"], "it listens"
    with restored(snapshot, code) as environment:
        found = environment.invoke({}).response
    assert found["calls"] == [
        "before, registered last",
        "before, registered first",
        "after, registered first",
        "after, registered last",
        "invoked",
    ]
    assert (found["type"], found["keys"]) == ("snap-start", [])


def test_copies_are_the_same_in_what_nobody_renews(snapshot: Snapshot, code: Path) -> None:
    found = []
    for _ in range(3):
        with restored(snapshot, code) as environment:
            found.append([environment.invoke({}).response for _ in range(2)])

    for name in ("id", "random", "pid"):
        assert len({tuple(it[name] for it in one) for one in found}) == 1, name
    assert found[0][0]["pid"] == snapshot.pid
    assert found[0][0]["id"] != found[0][1]["id"]
    assert len({one[0]["uuid"] for one in found}) == 3, "the kernel's own differ"


def test_copies_are_environments_of_their_own(snapshot: Snapshot, code: Path) -> None:
    with restored(snapshot, code) as one, restored(snapshot, code) as other:
        assert len({one.pid, other.pid, snapshot.pid}) == 3
        for environment in (one, other, one):
            assert environment.invoke({}).logs == "invoked\n"
        one.freeze()
        assert other.invoke({}).response["calls"].count("invoked") == 2
        assert one.invoke({}).response["calls"].count("invoked") == 3

        lost = other.invoke("exit")
        assert lost.error
        assert lost.error["errorType"] == "Runtime.ExitError"
        assert "exit status 3" in lost.error["errorMessage"]
        with pytest.raises(EnvironmentLostError):
            other.invoke({})
        other.start()
        assert other.invoke({}).response["calls"].count("invoked") == 1


def test_an_hour_may_have_passed(snapshot: Snapshot, code: Path) -> None:
    with restored(snapshot, code) as now, restored(snapshot, code, later=3600) as later:
        first, second = now.invoke({}).response, later.invoke({}).response
    assert 3600 <= second["time"] - first["time"] < 3700
    assert 9_000 < second["left"] <= 10_000


def test_a_hook_that_fails_before_the_snapshot_prevents_it(tmp_path: Path) -> None:
    hook = "from snapshot_restore_py import register_before_snapshot as r\nr(lambda: 1 / 0)\n"
    (tmp_path / "app.py").write_text(f"{hook}handler = print\n", "utf-8")
    with pytest.raises(InitError, match="ZeroDivisionError"), Snapshot(tmp_path, "app.handler"):
        pass


def test_a_hook_that_fails_after_the_restore_is_reported(tmp_path: Path) -> None:
    hook = "from snapshot_restore_py import register_after_restore as r\nr(lambda: 1 / 0)\n"
    (tmp_path / "app.py").write_text(f"{hook}handler = print\n", "utf-8")
    with (
        Snapshot(tmp_path, "app.handler") as snapshot,
        pytest.raises(InitError, match="ZeroDivisionError"),
        restored(snapshot, tmp_path),
    ):
        pass


def test_a_thread_that_goes_on_prevents_a_snapshot(tmp_path: Path) -> None:
    """It would be missing in the copies here, though not in Lambda's."""
    thread = "from threading import *\nThread(target=Event().wait, daemon=True).start()\n"
    (tmp_path / "app.py").write_text(f"{thread}handler = print\n", "utf-8")
    with pytest.raises(InitError, match="a copy would lack"), Snapshot(tmp_path, "app.handler"):
        pass
