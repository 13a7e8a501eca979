"""What the tests tell the server process, as its only argument."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Settings:
    """`python` runs the functions; `function_environment` is added to their variables; `folder`
    has everything the server keeps, and goes with it."""

    folder: str
    python: str
    function_environment: dict[str, str]

    def dumps(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def loads(cls, text: str) -> "Settings":
        return cls(**json.loads(text))
