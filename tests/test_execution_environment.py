"""The local execution environment does what Lambda does, so that what it shows can be believed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from tests.support.cpu_share import share
from tests.support.execution_environment import (
    EnvironmentLostError,
    ExecutionEnvironment,
    InitError,
)
from tests.support.mongod import Mongod, ReplicaSet
from tests.support.servers import wait_until

pytestmark = pytest.mark.slow

Code = Callable[[str], Path]


@pytest.fixture
def code(tmp_path: Path) -> Code:
    """Makes a code directory whose app.py has the given source."""

    def write(source: str) -> Path:
        (tmp_path / "app.py").write_text(dedent(source))
        return tmp_path

    return write


def test_process_sees_lambdas_variables_and_no_others(
    code: Code, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_HOST", "x")
    monkeypatch.setenv("AWS_PROFILE", "mine")
    folder = code("""
        import os, sys
        def handler(event, context):
            return {"env": dict(os.environ), "cwd": os.getcwd(), "path": sys.path[0]}
    """)
    with ExecutionEnvironment(folder, "app.handler", {"MONGODB_DATABASE": "app"}) as environment:
        seen = environment.invoke({}).response
    set_by_python_and_runtime = {"LC_CTYPE", "_X_AMZN_TRACE_ID"}
    assert seen["env"].keys() - set_by_python_and_runtime == environment.environment.keys()
    assert not {"SECRET_OF_THE_HOST", "AWS_PROFILE"} & seen["env"].keys()
    assert seen["env"]["MONGODB_DATABASE"] == "app"
    assert seen["env"]["LAMBDA_TASK_ROOT"] == seen["cwd"] == seen["path"] == str(folder)
    assert not list(folder.rglob("*.pyc")), "the task root is read-only on Lambda"


@pytest.mark.usefixtures("cpu_shares")
@pytest.mark.parametrize("memory", [128, 512])
def test_memory_buys_a_share_of_cpu(code: Code, memory: int) -> None:
    folder = code("""
        import time
        def handler(event, context):
            began, used = time.perf_counter(), time.process_time()
            while time.process_time() - used < 0.2:
                pass
            return (time.process_time() - used) / (time.perf_counter() - began)
    """)
    with ExecutionEnvironment(
        folder, "app.handler", memory=memory, cpu_limited=True
    ) as environment:
        used = environment.invoke({}).response
    assert used <= 1.2 * share(memory)


def test_context_has_the_invocations_own_deadline_and_ids(code: Code) -> None:
    folder = code("""
        import os
        def handler(event, context):
            return {
                "event": event,
                "id": context.aws_request_id,
                "arn": context.invoked_function_arn,
                "memory": context.memory_limit_in_mb,
                "remaining": context.get_remaining_time_in_millis(),
                "trace": os.environ["_X_AMZN_TRACE_ID"],
            }
    """)
    with ExecutionEnvironment(
        folder, "app.handler", memory=256, timeout=30, function_name="orders"
    ) as environment:
        first, second = (environment.invoke({"n": n}) for n in (1, 2))
    assert [first.response["event"], second.response["event"]] == [{"n": 1}, {"n": 2}]
    assert first.response["id"] == first.request_id != second.request_id
    assert first.response["arn"] == "arn:aws:lambda:us-east-1:123456789012:function:orders"
    assert first.response["memory"] == "256"
    assert 0 < first.response["remaining"] <= 30_000
    assert first.response["trace"] != second.response["trace"]


def test_exception_is_an_error_and_the_environment_lives_on(code: Code) -> None:
    folder = code("""
        count = 0
        def handler(event, context):
            global count
            count += 1
            if event == "fail":
                raise ValueError("no such luck")
            return count
    """)
    with ExecutionEnvironment(folder, "app.handler") as environment:
        failed, after = environment.invoke("fail"), environment.invoke(None)
    assert failed.response is None
    assert failed.error is not None
    assert failed.error["errorType"] == "ValueError"
    assert failed.error["errorMessage"] == "no such luck"
    assert (after.error, after.response) == (None, 2)


def test_logs_belong_to_their_phase(code: Code) -> None:
    folder = code("""
        import logging, sys
        print("at import")
        def handler(event, context):
            print(event, file=sys.stderr)
            logging.getLogger().warning("logged %s", event)
    """)
    with ExecutionEnvironment(folder, "app.handler") as environment:
        first, second = environment.invoke("one"), environment.invoke("two")
    assert environment.init_logs == "at import\n"
    assert "one" in first.logs
    assert "two" not in first.logs
    assert [record["message"] for record in second.records] == ["logged two"]
    assert second.records[0]["requestId"] == second.request_id


@pytest.mark.parametrize(
    ("source", "error_type"),
    [
        pytest.param("import nothing_like_it", "Runtime.ImportModuleError", id="import"),
        pytest.param("raise ValueError('at import')", "ValueError", id="exception"),
        pytest.param("other = 1", "Runtime.HandlerNotFound", id="no-handler"),
        pytest.param("import os; os._exit(7)", "Runtime.ExitError", id="exit"),
    ],
)
def test_failed_init_is_reported(code: Code, source: str, error_type: str) -> None:
    environment = ExecutionEnvironment(code(source), "app.handler")
    with pytest.raises(InitError) as caught:
        environment.start()
    assert caught.value.error["errorType"] == error_type
    with pytest.raises(EnvironmentLostError):
        environment.invoke({})


@pytest.mark.parametrize(
    ("last_event", "error_type", "message"),
    [
        pytest.param(
            "time.sleep(60)", "Sandbox.Timedout", "Task timed out after 0.50 seconds", id="timeout"
        ),
        pytest.param("os._exit(3)", "Runtime.ExitError", "exit status 3", id="exit"),
    ],
)
def test_timeout_or_exit_loses_the_environment(
    code: Code, last_event: str, error_type: str, message: str
) -> None:
    """The process is gone with its state; start() is the cold start that Lambda would make."""
    folder = code("""
        import os, time
        count = 0
        def handler(event, context):
            global count
            count += 1
            return eval(event)
    """)
    with ExecutionEnvironment(folder, "app.handler", timeout=0.5) as environment:
        assert environment.invoke("count").response == 1
        pid = environment.pid
        lost = environment.invoke(last_event)
        assert lost.error is not None
        assert lost.error["errorType"] == error_type
        assert lost.error["errorMessage"].startswith(f"RequestId: {lost.request_id}")
        assert lost.error["errorMessage"].endswith(message)
        assert not _running(pid)
        with pytest.raises(EnvironmentLostError):
            environment.invoke("count")
        environment.start()
        assert environment.invoke("count").response == 1
        pid = environment.pid
    assert not _running(pid)


def test_frozen_process_stands_still_until_the_next_event(code: Code) -> None:
    folder = code("""
        def handler(event, context):
            return event
    """)
    with ExecutionEnvironment(folder, "app.handler") as environment:
        environment.invoke(1)
        environment.freeze()
        assert _state(environment.pid) == "T"
        assert environment.invoke(2).response == 2
        assert _state(environment.pid) != "T"
        environment.freeze()
        environment.thaw()
        assert _state(environment.pid) != "T"
        environment.freeze()
        pid = environment.pid
    assert not _running(pid)


CLIENT_AT_MODULE_SCOPE = """
    import os
    from pymongo import MongoClient
    client = MongoClient(os.environ["MONGODB_URI"], appname="lab", maxPoolSize=1)
    client.admin.command("ping")
    def handler(event, context):
        return client.app.items.insert_one({}).acknowledged
"""
CLIENT_IN_THE_HANDLER = """
    import os
    from pymongo import MongoClient
    def handler(event, context):
        client = MongoClient(os.environ["MONGODB_URI"], appname="lab", maxPoolSize=1)
        return client.app.items.insert_one({}).acknowledged
"""


def test_warm_invocations_open_no_connection_with_the_client_at_module_scope(code: Code) -> None:
    """And the server's count is able to show it: a client in the handler opens two each time."""
    with Mongod(auth=True) as mongod:
        folder, variables = code(CLIENT_AT_MODULE_SCOPE), {"MONGODB_URI": mongod.uri}
        with ExecutionEnvironment(folder, "app.handler", variables) as environment:
            environment.invoke({})
            warm = mongod.connections_created()
            assert all(environment.invoke({}).response for _ in range(1000))
            environment.freeze()
            assert environment.invoke({}).response
            assert mongod.connections_created() == warm
            monitor, pooled = sorted(mongod.clients("lab"), key=lambda client: client.user or "")
            assert (monitor.user, pooled.user) == (None, "root")
        code(CLIENT_IN_THE_HANDLER)
        with ExecutionEnvironment(folder, "app.handler", variables) as environment:
            environment.invoke({})
            warm = mongod.connections_created()
            assert all(environment.invoke({}).response for _ in range(10))
            assert mongod.connections_created() >= warm + 20


def test_environment_frozen_through_a_failover_finds_the_new_primary(code: Code) -> None:
    with ReplicaSet(auth=True) as replica_set:
        variables = {"MONGODB_URI": replica_set.uri}
        with ExecutionEnvironment(
            code(CLIENT_AT_MODULE_SCOPE), "app.handler", variables
        ) as environment:
            assert environment.invoke({}).response
            environment.freeze()
            old = replica_set.primary
            replica_set.step_down()
            assert replica_set.primary is not old
            # Which may not know yet by which key to check the cluster time (code 211).
            wait_until(lambda: environment.invoke({}).response, "new primary")


def _running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _state(pid: int) -> str:
    """One letter: T is stopped by a signal."""
    command = ["ps", "-o", "state=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()[0]
