"""Lambda as it is: the real runtime client, Lambda's variables, and the role's own credentials.

ministack runs Python functions by a worker script of its own, which sets no
AWS_LAMBDA_RUNTIME_API and ends on every exception. It has a Runtime API for `provided`
runtimes, too: here Python functions get that one, with awslambdaric as their bootstrap.

With SnapStart, ministack initialises an environment when a version is published. Here it also runs
the hooks, as if it were restored at once, and has the role's credentials by Lambda's endpoint. Any
further environment of the version initialises itself: tests/support/snapshots.py has real copies.
"""

import json
import os
import shlex
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime  # type: ignore[import-not-found]
from ministack.services import lambda_svc, sts  # type: ignore[import-not-found]

from tests.support.local_aws_extras.credentials import credentials_of
from tests.support.local_aws_extras.permissions import allows
from tests.support.local_aws_extras.settings import Settings


def register(settings: Settings) -> None:
    """Replace how ministack runs Python functions."""
    bootstrap = (
        # Lambda's file system is read-only: no bytecode is written (-B).
        f'#!/bin/sh\nexec {shlex.quote(settings.python)} -B -m awslambdaric "$_HANDLER"\n'
    )
    unpack: Callable[[bytes], str] = lambda_svc._provided_runtime_code_dir
    emit_logs = lambda_svc._emit_lambda_logs

    def unpack_with_bootstrap(code_zip: bytes) -> str:
        folder = unpack(code_zip)
        program = Path(folder, "bootstrap")
        if not program.exists():
            program.write_text(bootstrap)
            program.chmod(0o755)
        return folder

    def emit_logs_if_allowed(function: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        if _may_log(function["config"]):
            emit_logs(function, *args, **kwargs)

    def variables(config: dict[str, Any], code_dir: str, port: int) -> dict[str, str]:
        _register_session(config)
        own: dict[str, str] = lambda_svc._runtime_env_vars(config)
        network = settings.function_environment | _sdk_settings()
        return network | own | _lambda_variables(config, code_dir, port)

    class Environment(lambda_runtime.ProvidedWorker):  # type: ignore[misc]
        def _build_handler_class(self, *arguments: Any) -> Any:
            return _with_snapstart(super()._build_handler_class(*arguments), self.config)

    lambda_svc._provided_runtime_code_dir = unpack_with_bootstrap
    lambda_svc._provided_worker_env = variables
    lambda_svc._emit_lambda_logs = emit_logs_if_allowed
    lambda_svc._execute_function_warm = lambda_svc._execute_function_provided_warm
    lambda_runtime._worker_class_for = lambda _config: Environment


def _with_snapstart(runtime_api: Any, config: dict[str, Any]) -> Any:
    """Return a Runtime API that also has what SnapStart takes."""

    class RuntimeApi(runtime_api):  # type: ignore[misc]
        path: str

        def do_GET(self) -> None:  # noqa: N802
            if self.path.endswith("/runtime/restore/next"):
                self._respond(200)
            elif self.path != _CREDENTIALS:
                super().do_GET()
            elif self.headers["Authorization"] != credentials_of(config["Role"]).session_token:
                self._respond(401)
            else:
                self._respond(200, json.dumps(_container_credentials(config["Role"])).encode())

        def do_POST(self) -> None:  # noqa: N802
            self.path = self.path.replace("/restore/error", "/init/error")
            super().do_POST()

    return RuntimeApi


_CREDENTIALS = "/2021-04-23/credentials"


def _container_credentials(role_arn: str) -> dict[str, str]:
    credentials = credentials_of(role_arn)
    return {
        "AccessKeyId": credentials.access_key,
        "SecretAccessKey": credentials.secret_key,
        "Token": credentials.session_token,
        "Expiration": (datetime.now(UTC) + timedelta(hours=6)).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def workers() -> list[dict[str, Any]]:
    """Function name and process id of every execution environment that is alive."""
    with lambda_runtime._lock:
        pooled = [worker for pool in lambda_runtime._workers.values() for worker in pool]
    return [
        {"function": worker.func_name, "pid": process.pid}
        for worker in pooled
        if (process := worker._proc) is not None and process.poll() is None
    ]


def _lambda_variables(config: dict[str, Any], code_dir: str, port: int) -> dict[str, str]:
    """The variables Lambda reserves (its documentation's "Defined runtime environment
    variables"). HOME, which Lambda leaves out, points nowhere, lest the SDK find the
    configuration of whoever runs the tests."""
    credentials = credentials_of(config["Role"])
    logging = config["LoggingConfig"]
    region = config["FunctionArn"].split(":")[3]
    variables = {
        "_HANDLER": config["Handler"],
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_DEFAULT_REGION": region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{config['Runtime']}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config["MemorySize"]),
        "AWS_LAMBDA_FUNCTION_NAME": config["FunctionName"],
        "AWS_LAMBDA_FUNCTION_VERSION": config["Version"],
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_FORMAT": logging.get("LogFormat", "Text"),
        "AWS_LAMBDA_LOG_GROUP_NAME": _log_group(config),
        "AWS_LAMBDA_LOG_STREAM_NAME": f"[{config['Version']}]{uuid.uuid4().hex}",
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
        "AWS_REGION": region,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "HOME": "/nonexistent",
        "LAMBDA_TASK_ROOT": code_dir,
        "LANG": "en_US.UTF-8",
        "PATH": os.environ["PATH"],
        "TZ": ":UTC",
    }
    if config.get("SnapStart", {}).get("OptimizationStatus") == "On":
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            del variables[name]
        variables |= {
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": credentials.session_token,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{port}{_CREDENTIALS}",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
        }
    if level := logging.get("ApplicationLogLevel"):
        variables["AWS_LAMBDA_LOG_LEVEL"] = level
    return variables


def _sdk_settings() -> dict[str, str]:
    """Where the SDK finds this account, by its own variables."""
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _register_session(config: dict[str, Any]) -> None:
    """Have IAM know the credentials of a function's role, as STS would after AssumeRole."""
    role_arn = config["Role"]
    account, role_name = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    credentials = credentials_of(role_arn)
    session = {
        "Arn": f"arn:aws:sts::{account}:assumed-role/{role_name}/{config['FunctionName']}",
        "UserId": f"{role_name}:{config['FunctionName']}",
        "SecretAccessKey": credentials.secret_key,
        "SessionToken": credentials.session_token,
    }
    sts.register_session(credentials.access_key, session)


def _may_log(config: dict[str, Any]) -> bool:
    """Lambda writes logs by the role's permission, and drops them silently without."""
    _, _, _, region, account, *_ = config["FunctionArn"].split(":")
    stream = f"arn:aws:logs:{region}:{account}:log-group:{_log_group(config)}:log-stream:any"
    return allows(config["Role"], "logs:PutLogEvents", stream)


def _log_group(config: dict[str, Any]) -> str:
    group: str = config["LoggingConfig"].get("LogGroup") or f"/aws/lambda/{config['FunctionName']}"
    return group
