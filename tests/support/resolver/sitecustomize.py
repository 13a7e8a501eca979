"""Puts a Python process into the network of the Atlas stand-in (tests/support/atlas.py).

TEST_ATLAS_RESOLVER holds "<zone> <address> <port>": names in the zone resolve as the name server
there says, and dnspython asks it for everything. `socket` and `dns.resolver` are changed when, and
only if, the process itself imports them, so that its start-up costs what it costs elsewhere.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any


def _patch_socket(module: ModuleType) -> None:
    getaddrinfo = module.getaddrinfo

    def resolve(host: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(host, str) and f".{host.rstrip('.').lower()}".endswith(f".{_zone}"):
            import dns.resolver

            try:
                host = dns.resolver.resolve(host, "A")[0].address
            except dns.exception.DNSException:
                raise module.gaierror(module.EAI_NONAME, "Name or service not known") from None
        return getaddrinfo(host, *args, **kwargs)

    module.getaddrinfo = resolve  # type: ignore[attr-defined]


def _patch_dns_resolver(module: ModuleType) -> None:
    resolver = module.Resolver(configure=False)
    resolver.nameservers = [_address]
    resolver.port = int(_port)
    module.default_resolver = resolver  # type: ignore[attr-defined]


_patches = {"socket": _patch_socket, "dns.resolver": _patch_dns_resolver}


class _Finder:
    """Finds the modules to change as the others do, and changes them once they have run."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        patch = _patches.pop(name, None)
        if patch is None:
            return None
        found = (finder.find_spec(name, path, target) for finder in sys.meta_path)
        spec = next((spec for spec in found if spec is not None), None)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                run(module)
                patch(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


if "TEST_ATLAS_RESOLVER" in os.environ:
    _zone, _address, _port = os.environ["TEST_ATLAS_RESOLVER"].split()
    for _name in _patches.keys() & sys.modules.keys():
        _patches.pop(_name)(sys.modules[_name])
    sys.meta_path.insert(0, _Finder())
