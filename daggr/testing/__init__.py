"""The test kit: what anybody who extends daggr, or writes an app with it, can use in tests of their own.

    from daggr.testing import BackendSuite              # a store backend: subclass it (needs pytest and hypothesis)
    from daggr.testing.hub import FakeHub               # a Hugging Face Hub on loopback, with inference
    from daggr.testing.apps import GradioApp, loopback  # Gradio apps as programs of their own
    from daggr.testing.proxy import FaultProxy          # a network that fails as you tell it to

For readable failures say `pytest.register_assert_rewrite("daggr.testing")` in a conftest.py, before the import.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from daggr.testing.backends import MIB, BackendSuite, Histories, together

__all__ = ["MIB", "BackendSuite", "Histories", "together"]


def __getattr__(name: str) -> Any:
    """What needs pytest is imported when it is asked for: the servers need none."""
    if name in __all__:
        return getattr(importlib.import_module(f"{__name__}.backends"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
