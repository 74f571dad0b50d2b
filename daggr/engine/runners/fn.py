"""Runs FnNodes, in the worker thread that it is called in."""

from __future__ import annotations

from daggr.engine.runners.base import Call, Returned
from daggr.engine.runners.function import execute
from daggr.engine.workers.usercode import UserCode


class FnRunner:
    """Calls the function, awaits a coroutine, and takes the last value of a generator."""

    def execute(self, call: Call, user: UserCode) -> Returned:
        """Execute the function and its hooks."""
        return execute(call, user)
