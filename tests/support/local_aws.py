"""A local AWS account for tests: ministack, what it lacks, and Lambda's own runtime client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self


class Credentials(NamedTuple):
    """A session of a role, as its functions have it in AWS_ACCESS_KEY_ID and so on."""

    access_key: str
    secret_key: str
    session_token: str


@dataclass(frozen=True)
class Response:
    """What an HTTP API answered."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    text: str

    @property
    def json(self) -> Any:
        """The decoded body; ValueError if it isn't JSON."""
        raise NotImplementedError


class LocalAws:
    """An AWS account on loopback that `sam deploy`, `cdk deploy` and boto3 take for real.

    >>> with Atlas() as atlas, LocalAws(atlas.environment) as aws:
    ...     subprocess.run(["sam", "deploy", …], env={**os.environ, **aws.environment})
    ...     outputs = aws.outputs("orders-service")
    ...     atlas.add_role(role_arn, *aws.credentials_of(role_arn), "app")
    ...     assert aws.call(outputs["ApiUrl"], "GET", "/items").status == 200

    Functions run as on Lambda: one process per execution environment, kept warm, driven by the
    real `awslambdaric` over the Runtime API, with Lambda's variables and nothing of ours but
    `function_environment`, which stands for the network they are deployed to. They run on
    `python`, whatever runtime and architecture they were built for.
    """

    endpoint: str  # http://localhost:PORT
    region: str
    account_id: str
    environment: dict[str, str]  # for sam, cdk and boto3 in a child process; add to os.environ

    def __init__(
        self,
        function_environment: Mapping[str, str] | None = None,
        *,
        python: str | Path | None = None,  # an interpreter with awslambdaric; sys.executable
    ) -> None: ...

    def __enter__(self) -> Self:
        raise NotImplementedError

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def client(self, service: str) -> Any:
        """A boto3 client of this account, as its administrator."""
        raise NotImplementedError

    def outputs(self, stack: str) -> dict[str, str]:
        """The outputs of a stack by name."""
        raise NotImplementedError

    def resources(self, stack: str) -> dict[str, str]:
        """Physical id of each resource of a stack by logical id."""
        raise NotImplementedError

    def call(
        self, url: str, method: str, path: str = "/", body: Any = None, *, signed: bool = True
    ) -> Response:
        """Call an HTTP API by its public URL, such as the stack's output ApiUrl.

        The request is signed (SigV4) as one of the account's administrator unless `signed` is
        false; `body` is sent as JSON.
        """
        raise NotImplementedError

    def logs(self, function: str) -> list[str]:
        """Lines in the function's log group, oldest first."""
        raise NotImplementedError

    def workers(self, function: str | None = None) -> list[int]:
        """Process ids of the warm execution environments, of one function or all."""
        raise NotImplementedError

    def credentials_of(self, role_arn: str) -> Credentials:
        """What the functions of a role have as credentials; the same for all of its functions."""
        raise NotImplementedError
