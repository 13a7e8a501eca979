"""The function responds, with what the database says."""

import json
from collections.abc import Callable
from typing import Any


def test_answers_with_the_connected_database(invoke: Callable[[str], Any], database: str) -> None:
    response = invoke("GET /")

    assert response["statusCode"] == 200
    assert json.loads(response["body"]) == {"database": database, "ping": 1.0}
