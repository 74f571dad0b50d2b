"""Errors on the wire: the one place where an error gets its HTTP status and its RFC 9457 body."""

from __future__ import annotations

import logging
import uuid

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from daggr.errors import (
    ArtifactMissingError,
    ConfigError,
    DaggrError,
    EndpointError,
    GraphError,
    NotCachedError,
    RemoteError,
    RunCancelledError,
    RunTimeoutError,
    StoreFullError,
    StoreLockedError,
)
from daggr.server.messages import Problem

log = logging.getLogger("daggr.server")

MEDIA_TYPE = "application/problem+json"

_STATUS: tuple[tuple[type[DaggrError], int, str], ...] = (
    (GraphError, 422, "Wrong input"),
    (EndpointError, 422, "Wrong endpoint"),
    (NotCachedError, 504, "Not cached"),
    (RunTimeoutError, 504, "Took too long"),
    (RunCancelledError, 409, "Stopped"),
    (RemoteError, 502, "A remote app failed"),
    (ArtifactMissingError, 404, "Gone"),
    (StoreFullError, 507, "The store is full"),
    (StoreLockedError, 423, "The store is in use"),
    (ConfigError, 400, "Wrong request"),
    (DaggrError, 500, "Failed"),
)


class AmbiguousSubgraph(DaggrError):
    """A call that does not say which of several subgraphs it means."""

    def __init__(self, subgraphs: list[str]) -> None:
        super().__init__(
            f"The workflow has several subgraphs: {', '.join(subgraphs)}.",
            "Call /api/call/{subgraph} with one of them.",
        )
        self.subgraphs = subgraphs


def problem_of(error: Exception) -> Problem:
    """The body for an error."""
    if isinstance(error, AmbiguousSubgraph):
        return Problem(
            "Which subgraph?", 400, error.message, error.message, error.hint, available_subgraphs=error.subgraphs
        )
    if isinstance(error, DaggrError):
        status, title = next((status, title) for kind, status, title in _STATUS if isinstance(error, kind))
        return Problem(title, status, error.message, error.message, error.hint, error.where)
    if isinstance(error, ValidationException):
        parts = [
            f"{part.get('key', 'body')}: {part.get('message')}" for part in error.extra or [] if isinstance(part, dict)
        ]
        detail = "; ".join(parts) or error.detail
        return Problem("Wrong request", error.status_code, detail, detail)
    if isinstance(error, HTTPException):
        return Problem("Not possible", error.status_code, error.detail, error.detail)
    if isinstance(error, RecursionError):
        return Problem("Wrong request", 400, "The body is nested too deep.", "The body is nested too deep.")
    incident = uuid.uuid4().hex[:8]
    log.error("incident %s", incident, exc_info=error)
    detail = f"daggr failed (incident {incident}); its log has the details."
    return Problem("Failed", 500, detail, detail)


def respond(_: Request[object, object, object], error: Exception) -> Response[bytes]:  # type: ignore[type-var]
    """The answer to a request that failed."""
    problem = problem_of(error)
    return Response(msgspec.json.encode(problem), status_code=problem.status, media_type=MEDIA_TYPE)
