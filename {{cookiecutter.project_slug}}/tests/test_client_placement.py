"""Guards the rule that this service stands on: one MongoClient per execution environment.

A client that is built by a handler opens new connections with every invocation:
https://www.mongodb.com/docs/atlas/manage-connections-aws-lambda/

The linter sees to it that only connection.py names the driver's clients, the fixture `invoke` that
no invocation builds one. Here is what neither sees, such as a function that no test calls.
"""

import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, ModuleType
from unittest.mock import patch

SOURCE = Path(__file__).resolve().parent.parent / "src"
OWNER = SOURCE / "{{ cookiecutter.__package }}/connection.py"


def import_all() -> dict[Path, ModuleType]:
    """Import every module below src."""
    names = {path: path.relative_to(SOURCE).with_suffix("").parts for path in SOURCE.rglob("*.py")}
    return {
        path: importlib.import_module(".".join(parts).removesuffix(".__init__"))
        for path, parts in names.items()
    }


def test_importing_the_service_builds_one_client(clients: list[object]) -> None:
    modules = import_all()
    with patch.dict(sys.modules):  # other tests go on with those that they have
        for module in modules.values():
            del sys.modules[module.__name__]
        before = len(clients)
        import_all()

    built = len(clients) - before
    assert built == 1, f"{built} clients: one module builds the Connection, the others import it"


def test_no_function_builds_the_connection() -> None:
    modules = import_all()
    connection = modules.pop(OWNER).Connection
    for path, module in modules.items():
        names = vars(module)
        for function in functions(compile(path.read_bytes(), path, "exec")):
            for name in function.co_names:
                value = names.get(name)  # an alias, or Connection.from_environment itself
                named = name in ("Connection", "from_environment")
                found = named or getattr(value, "__self__", value) is connection
                assert not found, (
                    f"{path.relative_to(SOURCE)}:{function.co_firstlineno}: {function.co_name} "
                    "uses Connection; build it once, at module scope, not in a function"
                )


def functions(code: CodeType) -> Iterator[CodeType]:
    """Yield the code of every function, lambdas and nested ones too, but not of annotations."""
    for inner in code.co_consts:
        if isinstance(inner, CodeType) and inner.co_name != "__annotate__":
            if inner.co_flags & inspect.CO_OPTIMIZED:  # unlike a class's
                yield inner
            yield from functions(inner)
