"""Spans of OpenTelemetry, when its API is installed: one for each step that ran or was known, within that of its job.

Their attributes: `daggr.job`, `daggr.node`, `daggr.sheet`, `daggr.cache` (hit or miss), `daggr.run`.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from daggr.engine.events import (
    JobEnded,
    Observer,
    StepCancelled,
    StepEvent,
    StepFailed,
    StepFinished,
    StepQueued,
    StepStarted,
)


def tracing() -> Observer | None:
    """An observer that makes spans; None if OpenTelemetry is not installed."""
    try:
        from opentelemetry import trace
    except ImportError:
        return None
    return Tracing(trace.get_tracer("daggr"), trace)


class Tracing:
    """Makes a span of what happened between two events.

    Args:
        tracer: Where spans are made.
        api: The module `opentelemetry.trace`.
    """

    def __init__(self, tracer: Any, api: Any) -> None:
        self._tracer = tracer
        self._api = api
        self._lock = threading.Lock()
        self._jobs: dict[str, Any] = {}
        self._steps: dict[tuple[str, str], Any] = {}

    def __call__(self, event: StepEvent) -> None:
        """Take an event in."""
        with self._lock:
            match event:
                case StepQueued():
                    self._job(event)
                case StepStarted():
                    self._steps[event.job, event.node] = self._begin(event, int(event.at * 1e9))
                case StepFinished():
                    span = self._steps.pop((event.job, event.node), None) or self._begin(event)
                    span.set_attribute("daggr.cache", "hit" if event.hit else "miss")
                    span.set_attribute("daggr.run", event.run.id.hex())
                    span.end()
                case StepFailed() | StepCancelled():
                    span = self._steps.pop((event.job, event.node), None) or self._begin(event)
                    span.record_exception(event.error)
                    span.set_status(self._api.StatusCode.ERROR, event.error.message)
                    span.end()
                case JobEnded():
                    self._end(event.job)

    def _job(self, event: StepEvent) -> Any:
        if event.job not in self._jobs:
            attributes = {"daggr.job": event.job, "daggr.sheet": event.sheet.hex()}
            self._jobs[event.job] = self._tracer.start_span("daggr job", attributes=attributes)
        return self._jobs[event.job]

    def _begin(self, event: StepEvent, at: int | None = None) -> Any:
        within = self._api.set_span_in_context(self._job(event))
        attributes = {"daggr.job": event.job, "daggr.node": event.node, "daggr.sheet": event.sheet.hex()}
        return self._tracer.start_span(event.node, within, attributes=attributes, start_time=at or time.time_ns())

    def _end(self, job: str) -> None:
        for key in [key for key in self._steps if key[0] == job]:
            self._steps.pop(key).end()
        if (span := self._jobs.pop(job, None)) is not None:
            span.end()
