"""Run ministack with our additions; it ends when standard input does.

Holding the other end of that pipe, the parent needs only to let go, and cannot forget to:
its own death lets go, too.
"""

import json
import os
import shutil
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from ministack import app as ministack  # type: ignore[import-not-found]
from ministack.core import lambda_runtime  # type: ignore[import-not-found]

from tests.support.local_aws_extras import atlas_types, functions, http_apis, resources
from tests.support.local_aws_extras.settings import Settings

Scope = dict[str, Any]
Send = Callable[[dict[str, Any]], Awaitable[None]]

# Our own questions to the server, beside AWS's interfaces.
ANSWERS: dict[str, Callable[[], Any]] = {
    "/_lab/workers": functions.workers,
    "/_lab/atlas": atlas_types.resources,
}


def main() -> None:
    settings = Settings.loads(sys.argv.pop())
    functions.register(settings)
    resources.register()
    http_apis.register()
    atlas_types.register()
    ministack.app = answering(ministack.app)
    threading.Thread(target=end_with_parent, args=(settings.folder,), daemon=True).start()
    ministack.main()


def answering(app: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """The application with `ANSWERS` in front."""

    async def answer(scope: Scope, receive: Any, send: Send) -> None:
        question = ANSWERS.get(scope.get("path", ""))
        if question is None:
            # Bucket policies of sam and cdk refuse requests without TLS; loopback needs none.
            await app(scope | {"scheme": "https"}, receive, send)
            return
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(question()).encode()})

    return answer


def end_with_parent(folder: str) -> None:
    sys.stdin.buffer.read()
    lambda_runtime.reset()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


main()
