"""Which limit a node is under."""

from __future__ import annotations

from typing import NamedTuple

from daggr.graph.nodes.base import NodeSpec
from daggr.graph.nodes.fn import FnSpec
from daggr.graph.nodes.gradio import GradioSpec
from daggr.graph.nodes.remote import RemoteSpec

PER_APP = 16


class Place(NamedTuple):
    """A limit: so many at once, among all who give the same name in this process."""

    name: str
    limit: int


def place_of(spec: NodeSpec, session: str) -> Place | None:
    """The limit a node is under, or None if there is none.

    Functions run one at a time for each user, unless they are `concurrent` or in a group. Apps and models get some
    calls at once.
    """
    match spec:
        case FnSpec(concurrency_group=str() as group):
            return Place(f"group {group}", spec.max_concurrent)
        case FnSpec(concurrent=False):
            return Place(f"session {session}", 1)
        case GradioSpec():
            return Place(f"app {spec.source}", PER_APP)
        case RemoteSpec():
            return Place(str(spec.repo), PER_APP)
        case _:
            return None
