"""What nodes that call something elsewhere have in common."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from daggr.errors import GraphError
from daggr.graph.nodes.base import NodeSpec, read_seconds
from daggr.graph.nodes.base import Repo as Repo

_REVISION = re.compile(r"[0-9a-f]{7,40}")


@dataclass
class RemoteSpec(NodeSpec):
    """A node that calls an app or a model. Seconds that are None are the engine's choice.

    Attributes:
        validate: Whether it is checked before anything runs.
        revision: The commit that it must be at; empty for any.
        connect_timeout: After how many seconds without a connection it fails.
        idle_timeout: After how many seconds without a word from the other side it fails.
        retries: How often it is tried again when it was refused before anything had been done.
    """

    validate: bool = True
    revision: str = ""
    connect_timeout: float | None = None
    idle_timeout: float | None = None
    retries: int = 2


def read_remote(
    where: str | None, revision: Any, connect_timeout: Any, idle_timeout: Any, retries: Any
) -> dict[str, Any]:
    """The arguments that all remote nodes take, checked, by the fields of `RemoteSpec`.

    Raises:
        GraphError: one of them is not what it should be.
    """
    if type(retries) is not int or retries < 0:
        raise GraphError(f"retries is a whole number from 0 on; given: {retries!r}.", where=where)
    if revision is not None and not (isinstance(revision, str) and _REVISION.fullmatch(revision)):
        raise GraphError(
            f"revision is the id of a commit, 7 to 40 characters of 0-9 and a-f; given: {revision!r}.",
            "The page of the Space or model shows it under Files, History.",
            where,
        )
    return {
        "revision": revision or "",
        "connect_timeout": read_seconds("connect_timeout", connect_timeout, where),
        "idle_timeout": read_seconds("idle_timeout", idle_timeout, where),
        "retries": retries,
    }
