"""The one inversion of the house: what a graph may ask of the floors above it.

`Graph.launch`, `Graph.run`, `Graph.arun` and `Node.test` call `current()`. The package registers the real runtime by
name and it is imported at first use; the command line installs one that only captures the graph of a script; tests
install a fake.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol


class Runtime(Protocol):
    """What graphs and nodes can have done for them (their types live on a floor above this one)."""

    def launch(self, graph: Any, options: Mapping[str, Any]) -> Any:
        """Serve the graph's canvas and API."""

    def run(self, graph: Any, inputs: Mapping[str, Any], cache: str) -> dict[str, dict[str, Any]]:
        """Run the graph without a server; the outputs of its output nodes, by node and port."""

    async def arun(self, graph: Any, inputs: Mapping[str, Any], cache: str) -> dict[str, dict[str, Any]]:
        """What `run` does, awaited; it is stopped when the awaiting task is."""

    def test(self, node: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Run one node alone, uncached; its outputs by port."""


STARTED = time.time()
"""When this process began, as nearly as the package knows: a script imports it in its first lines."""

_default = ""
_installed: list[Runtime] = []
_made: dict[str, Runtime] = {}


def register(name: str) -> None:
    """Name the runtime that is used when none is installed, as `package.module:Class`."""
    global _default
    _default = name


def current() -> Runtime:
    """The runtime installed last, else the registered one, imported and made at first use."""
    if _installed:
        return _installed[-1]
    if _default not in _made:
        module, _, attribute = _default.partition(":")
        _made[_default] = getattr(importlib.import_module(module), attribute)()
    return _made[_default]


@contextmanager
def installed(runtime: Runtime) -> Iterator[Runtime]:
    """Use `runtime` within the block, in every thread."""
    _installed.append(runtime)
    try:
        yield runtime
    finally:
        _installed.remove(runtime)
