"""Every error that daggr raises on purpose, in one tree.

Each has a `message` (what was given, what is valid) and, where there is one, a `hint` (what to do) and a `where` (the
line of the user's script that it is about). Errors of wrong graphs are also `ValueError`, as they always were.

DaggrError
    GraphError (also ValueError)
        CycleError
        UnknownPortError (also AttributeError)
        UnknownInputError
        DuplicateNodeError
        ScatterError
    EndpointError (also ValueError)
    RunError
        NodeFailedError
        RunCancelledError
        RunTimeoutError
        NotCachedError
        RemoteError
    StoreError
        ArtifactMissingError
        ArtifactCorruptError
        UnknownCodecError
        StoreAccessError
        StoreLockedError
        StoreVersionError
        StoreFullError
    SyncError
    ConfigError
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DaggrError(Exception):
    """The root. `str(error)` is one readable text of message, place and hint."""

    def __init__(self, message: str, hint: str = "", where: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.where = where

    def __str__(self) -> str:
        text = self.message
        if self.where:
            text += f" (at {self.where})"
        if self.hint:
            text += f"\n{self.hint}"
        return text


class GraphError(DaggrError, ValueError):
    """The graph, as the script draws it, cannot work."""


class CycleError(GraphError):
    """Nodes feed each other in a circle."""


class UnknownPortError(GraphError, AttributeError):
    """A port that the node does not have. Also an AttributeError, since ports are reached as attributes."""


class UnknownInputError(GraphError):
    """An input name that the function, endpoint or graph does not take."""


class DuplicateNodeError(GraphError):
    """Two different nodes of one graph share a name."""


class ScatterError(GraphError):
    """Scattered inputs do not fit together."""


class EndpointError(DaggrError, ValueError):
    """A Gradio app or model has no such endpoint or parameter, or a required parameter is missing."""


class RunError(DaggrError):
    """Running did not give a result."""


class NodeFailedError(RunError):
    """A node's function, app or model failed. `node` names it; `traceback` has the user's own lines that led there."""

    def __init__(
        self, message: str, hint: str = "", where: str | None = None, *, node: str = "", traceback: str = ""
    ) -> None:
        super().__init__(message, hint, where)
        self.node = node
        self.traceback = traceback


class RunCancelledError(RunError):
    """A run was stopped."""


class RunTimeoutError(RunError):
    """A run took longer than it may."""


class NotCachedError(RunError):
    """Only a cached result was asked for, and there is none."""


class RemoteError(RunError):
    """A remote app or provider failed.

    `retryable` says whether trying again can help, `retry_after` in how many seconds, if the remote said so.
    """

    def __init__(
        self,
        message: str,
        hint: str = "",
        where: str | None = None,
        *,
        retryable: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, hint, where)
        self.retryable = retryable
        self.retry_after = retry_after


class StoreError(DaggrError):
    """The artifact store cannot do what was asked."""


class ArtifactMissingError(StoreError):
    """An artifact's record is there but its bytes are not."""


class ArtifactCorruptError(StoreError):
    """Stored bytes or a record differ from what was written."""


class UnknownCodecError(StoreError):
    """An artifact was written by a codec that this process does not have."""


class StoreAccessError(StoreError):
    """The store's folder cannot be used: it is read-only, belongs to somebody else, or lies on a network."""


class StoreLockedError(StoreError):
    """Another process holds the store."""


class StoreVersionError(StoreError):
    """The store was written by a newer daggr."""


class StoreFullError(StoreError):
    """The store or its disk is full."""


class SyncError(DaggrError):
    """A remote store could not be read or written. `retryable` says whether trying again can help."""

    def __init__(self, message: str, hint: str = "", where: str | None = None, *, retryable: bool = False) -> None:
        super().__init__(message, hint, where)
        self.retryable = retryable


class ConfigError(DaggrError):
    """A setting, option or argument that cannot be used."""


def did_you_mean(given: str, valid: Iterable[str]) -> str:
    """`Did you mean 'prompt'?` for the closest valid name, or an empty text when none is close."""
    names = list(valid)
    lower = {name.lower(): name for name in reversed(names)}
    close = difflib.get_close_matches(given, names, n=1, cutoff=0.6) or [
        lower[match] for match in difflib.get_close_matches(given.lower(), list(lower), n=1, cutoff=0.6)
    ]
    return f"Did you mean '{close[0]}'?" if close else ""
