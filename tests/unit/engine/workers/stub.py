"""The least that runs a function in a worker process; what daggr really runs there has tests of its own."""

from __future__ import annotations

from daggr.engine.runners.base import Call, Returned
from daggr.engine.workers.usercode import UserCode
from daggr.graph.nodes.fn import FnSpec


def execute(call: Call, user: UserCode) -> Returned:
    spec = call.spec
    assert isinstance(spec, FnSpec)
    with user.code():
        value = spec.fn(**call.inputs)
    call.progress(1.0, "done")
    call.partial({"output": value})
    return Returned({"output": value}, frozenset({"a text"}), ("a note",))
