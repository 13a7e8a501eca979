"""The service, with a driver that signs other headers than MongoDB asks for. Added by the lab."""

import json
import os
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

# Instead of what the driver gives them; without a value they are left out.
HEADERS: dict[str, str | None] = json.loads(os.environ["LAB_HEADERS"])
sign = SigV4Auth.add_auth


def sign_others(self: Any, request: AWSRequest) -> None:
    for name, value in HEADERS.items():
        del request.headers[name]
        if value is not None:
            request.headers[name] = value
    sign(self, request)


SigV4Auth.add_auth = sign_others

from ..app import handler  # noqa: E402, F401
