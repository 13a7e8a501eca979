"""A local AWS account for tests: ministack, what it lacks, and Lambda's own runtime client."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from tests.support.local_aws_extras.credentials import Credentials, credentials_of
from tests.support.local_aws_extras.settings import Settings
from tests.support.servers import LOOPBACK, StartError, free_port, wait_for_port, wait_until

__all__ = ["Credentials", "LocalAws", "Response", "StackError"]

_REPOSITORY = Path(__file__).resolve().parents[2]
_MINISTACK = _REPOSITORY / ".tools" / "ministack" / "bin" / "python"

# An environment with what Lambda's Python runtimes ship, and nothing else, so that a function
# runs on what was deployed. Its folder is the argument of this script.
_RUNTIME = """
import importlib.util, pathlib, sys, venv

venv.create(sys.argv[1], symlinks=True, with_pip=False)
[packages] = pathlib.Path(sys.argv[1]).glob("lib/python*/site-packages")
for name in ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py", "boto3",
             "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3"):
    module = pathlib.Path(importlib.util.find_spec(name).origin)
    module = module.parent if module.name == "__init__.py" else module
    (packages / module.name).symlink_to(module)
"""


@dataclass(frozen=True)
class Response:
    """What an HTTP API answered."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    text: str

    @property
    def json(self) -> Any:
        """The decoded body; ValueError if it isn't JSON."""
        return json.loads(self.text)


class StackError(Exception):
    """A stack's operation failed: its status, and each failed resource with the reason."""

    def __str__(self) -> str:
        return "\n".join(self.args)


class LocalAws:
    """An AWS account on loopback that `sam deploy`, `cdk deploy` and boto3 take for real.

    >>> with Atlas() as atlas, LocalAws(atlas.environment) as aws:
    ...     subprocess.run(["sam", "deploy", …], env={**os.environ, **aws.environment})
    ...     outputs = aws.outputs("orders-service")
    ...     atlas.add_role(role_arn, *aws.credentials_of(role_arn), "app")
    ...     assert aws.call(outputs["ApiUrl"], "GET", "/items").status == 200

    Permissions count: a function may do what its role allows, an API may invoke what lets it,
    signatures and session tokens are checked. `environment` is of the account's administrator.

    Functions run as on Lambda: one process per execution environment, kept warm, driven by the
    real `awslambdaric` over the Runtime API, with Lambda's variables and nothing of ours but
    `function_environment`, which stands for the network they are deployed to. They run on the
    Python of `python`, whatever runtime and architecture they were built for, and see no
    package but the deployed ones and those that Lambda's runtime ships (boto3).
    """

    region = "us-east-1"
    account_id = "123456789012"

    def __init__(
        self,
        function_environment: Mapping[str, str] | None = None,
        *,
        python: str | Path = sys.executable,  # an interpreter that has awslambdaric and boto3
        concurrency: int = 1000,  # execution environments that the account may have: new ones, 10
        authority: str | Path = "",  # of certificates that AWS trusts, as PEM
    ) -> None:
        self._concurrency = concurrency
        self._function_environment = dict(function_environment or {})
        self._python = str(python)
        self._authority = str(authority)
        self._root_key = secrets.token_hex(20)
        self._resources = contextlib.ExitStack()
        self.endpoint = ""  # http://localhost:PORT
        self.environment: dict[str, str] = {}  # for sam, cdk, boto3: add to os.environ

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as resources:
            self._folder = Path(
                resources.enter_context(
                    tempfile.TemporaryDirectory(prefix="local-aws-", ignore_cleanup_errors=True)
                )
            )
            runtime = self._folder / "runtime"
            subprocess.run([self._python, "-c", _RUNTIME, str(runtime)], check=True)
            python = str(runtime / "bin" / "python")
            settings = Settings(str(self._folder), python, self._function_environment)
            self._start(settings, resources)
            key_id, key = self._create_administrator()
            self._session = boto3.session.Session(key_id, key, region_name=self.region)
            self.environment = self._client_environment(key_id, key)
            self._resources = resources.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._resources.close()

    def client(self, service: str) -> Any:
        """A boto3 client of this account, as its administrator."""
        client: Any = self._session.client  # its overloads want a literal name
        return client(service, endpoint_url=self.endpoint)

    def create_stack(self, stack: str, template: str, **parameters: str) -> dict[str, str]:
        """Create a stack from a template of CloudFormation or SAM and return its outputs.

        The template is uploaded, as the CLIs do, since the largest have more than the 51,200 bytes
        that a request may have.

        StackError with the reasons of the failed resources if it is rolled back; ClientError if
        the template is refused at once.
        """
        self.client("s3").create_bucket(Bucket="templates")
        self.client("s3").put_object(Bucket="templates", Key=stack, Body=template.encode())
        created = self.client("cloudformation").create_stack(
            StackName=stack,
            TemplateURL=f"https://s3.us-east-1.amazonaws.com/templates/{stack}",
            Parameters=[
                {"ParameterKey": key, "ParameterValue": it} for key, it in parameters.items()
            ],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        self._settle(created["StackId"], "CREATE_COMPLETE")
        return self.outputs(stack)

    def delete_stack(self, stack: str) -> None:
        """Delete a stack; StackError if something of it can't be deleted."""
        cloudformation = self.client("cloudformation")
        [found] = cloudformation.describe_stacks(StackName=stack)["Stacks"]
        cloudformation.delete_stack(StackName=stack)
        self._settle(found["StackId"], "DELETE_COMPLETE")

    def create_vpc(self) -> dict[str, str]:
        """Make a VPC with what the stacks use of an existing one; return it by parameter."""
        ec2 = self.client("ec2")
        made = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
        first, second = (
            ec2.create_subnet(VpcId=made, CidrBlock=block)["Subnet"]["SubnetId"]
            for block in ("10.20.0.0/24", "10.20.1.0/24")
        )
        group = ec2.create_security_group(VpcId=made, GroupName="endpoint", Description="endpoint")
        return {
            "VpcId": made,
            "SubnetIdA": first,
            "SubnetIdB": second,
            "RouteTableIdA": ec2.create_route_table(VpcId=made)["RouteTable"]["RouteTableId"],
            "SecretsManagerSecurityGroupId": group["GroupId"],
        }

    def outputs(self, stack: str) -> dict[str, str]:
        """The outputs of a stack by name."""
        [found] = self.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
        return {it["OutputKey"]: it["OutputValue"] for it in found.get("Outputs", [])}

    def resources(self, stack: str) -> dict[str, str]:
        """Physical id of each resource of a stack by logical id."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources")
        return {
            it["LogicalResourceId"]: it["PhysicalResourceId"]
            for page in pages.paginate(StackName=stack)
            for it in page["StackResourceSummaries"]
        }

    def call(
        self,
        url: str,
        method: str,
        path: str = "/",
        body: Any = None,
        *,
        signed: bool = True,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Call an HTTP API by its public URL, such as the stack's output ApiUrl.

        The request is signed (SigV4) by the account's administrator unless `signed` is false;
        `body` is sent as JSON.
        """
        api_id = (urlsplit(url).hostname or "").partition(".")[0]
        host = f"{api_id}.execute-api.{urlsplit(self.endpoint).netloc}"
        data = b"" if body is None else json.dumps(body).encode()
        kind = {"Content-Type": "application/json"} if data else {}
        request = AWSRequest(method, f"http://{host}{path}", {**kind, **(headers or {})}, data)
        if signed:
            credentials: Any = self._session.get_credentials()
            SigV4Auth(credentials, "execute-api", self.region).add_auth(request)
        return self._send(method, path, {**request.headers, "Host": host}, data)

    def logs(self, function: str) -> list[str]:
        """Lines in the function's log group, oldest first.

        A function whose role may not write logs has none, as on AWS: ClientError without a group.
        """
        configuration = self.client("lambda").get_function_configuration(FunctionName=function)
        pages = self.client("logs").get_paginator("filter_log_events")
        group = configuration["LoggingConfig"]["LogGroup"]
        return [
            event["message"]
            for page in pages.paginate(logGroupName=group)
            for event in page["events"]
        ]

    def workers(self, function: str | None = None) -> list[int]:
        """Process ids of the warm execution environments, of one function or all."""
        return [
            worker["pid"]
            for worker in self._ask("workers")
            if function in (None, worker["function"])
        ]

    def atlas(self, type_name: str) -> dict[str, dict[str, Any]]:
        """What the stacks have created of one `MongoDB::Atlas` type.

        Properties, passwords resolved and attributes included, by physical id.
        """
        return {it["id"]: it["properties"] for it in self._ask("atlas") if it["type"] == type_name}

    def credentials_of(self, role_arn: str) -> Credentials:
        """What the functions of a role have as credentials; the same for all of its functions."""
        return credentials_of(role_arn)

    def _settle(self, stack_id: str, success: str) -> None:
        """Wait for the end of the operation on a stack."""
        cloudformation = self.client("cloudformation")
        status = ""

        def settled() -> bool:
            nonlocal status
            [stack] = cloudformation.describe_stacks(StackName=stack_id)["Stacks"]
            status = stack["StackStatus"]
            return not status.endswith("_IN_PROGRESS")

        wait_until(settled, "end of the stack's operation")
        if status != success:
            events = cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]
            raise StackError(
                status,
                *(
                    f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
                    for event in events
                    if event["ResourceStatus"].endswith("_FAILED")
                ),
            )

    def _ask(self, question: str) -> Any:
        return self._send("GET", f"/_lab/{question}").json

    def _send(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, data: bytes = b""
    ) -> Response:
        """To loopback, whatever Host says: not every system resolves names under localhost."""
        connection = http.client.HTTPConnection(LOOPBACK, urlsplit(self.endpoint).port)
        with contextlib.closing(connection):
            connection.request(method, path, data or None, headers or {})
            answer = connection.getresponse()
            received = {name.lower(): value for name, value in answer.getheaders()}
            return Response(answer.status, received, answer.read().decode())

    def _start(self, settings: Settings, resources: contextlib.ExitStack) -> None:
        """Start the server, on another port if somebody is quicker to take the free one."""
        attempts = 5
        for attempt in range(attempts):
            port = free_port()
            process = self._spawn(settings, port)
            try:
                wait_for_port(process, port, self._folder / "ministack.log")
            except StartError as error:
                if attempt + 1 == attempts or "already in use" not in str(error):
                    raise
            else:
                resources.callback(_end, process)
                self.endpoint = f"http://localhost:{port}"
                return

    def _spawn(self, settings: Settings, port: int) -> subprocess.Popen[bytes]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self._folder),
            "TMPDIR": str(self._folder),
            "STATE_DIR": str(self._folder / "state"),
            "S3_DATA_DIR": str(self._folder / "s3"),
            "PYTHONPATH": str(_REPOSITORY),
            "PYTHONDONTWRITEBYTECODE": "1",
            "BIND_HOST": LOOPBACK,
            "GATEWAY_PORT": str(port),
            "MINISTACK_ACCOUNT_ID": self.account_id,
            "MINISTACK_REGION": self.region,
            "AWS_SECRET_ACCESS_KEY": self._root_key,
            "AUTH": "true",
            "LAMBDA_EXECUTOR": "local",
            "LAMBDA_ACCOUNT_CONCURRENCY": str(self._concurrency),
            "IOT_MTLS_ENABLED": "0",  # these two would listen on fixed ports
            "SFTP_ENABLED": "0",
        }
        if self._authority:  # else the system's
            environment["SSL_CERT_FILE"] = self._authority
        command = [str(_MINISTACK), "-m", "tests.support.local_aws_extras", settings.dumps()]
        with (self._folder / "ministack.log").open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self._folder,
                env=environment,
                stdin=subprocess.PIPE,  # the server ends when this end of it is closed
                stdout=log,
                stderr=log,
                start_new_session=True,  # so that its Lambda workers can be ended with it
            )

    def _create_administrator(self) -> tuple[str, str]:
        """Access key of a user who may do everything. The root user isn't one to deploy with: it
        can't assume roles, and ministack doesn't check its signatures."""
        root = boto3.session.Session(self.account_id, self._root_key, region_name=self.region)
        iam = root.client("iam", endpoint_url=self.endpoint)
        iam.create_user(UserName="administrator")
        everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        policy = {"Version": "2012-10-17", "Statement": [everything]}
        iam.put_user_policy(
            UserName="administrator", PolicyName="Everything", PolicyDocument=json.dumps(policy)
        )
        key = iam.create_access_key(UserName="administrator")["AccessKey"]
        return key["AccessKeyId"], key["SecretAccessKey"]

    def _client_environment(self, key_id: str, key: str) -> dict[str, str]:
        """Also what keeps the tools from this machine's AWS configuration and from telling."""
        config = self._folder / "config"
        config.write_text(f"[profile {os.environ.get('AWS_PROFILE', 'default')}]\n")
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": key_id,
            "AWS_SECRET_ACCESS_KEY": key,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
            "AWS_CONFIG_FILE": str(config),
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
            "CDK_HOME": str(self._folder / "cdk"),  # where the CDK keeps account ids
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            "SAM_CLI_POLL_DELAY": "0.2",  # seconds between two looks at a stack, not five
            "SAM_CLI_TELEMETRY": "0",
        }


def _end(process: subprocess.Popen[bytes]) -> None:
    """Close the server's standard input, at which it ends its workers and itself; else kill."""
    if process.stdin:
        process.stdin.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
