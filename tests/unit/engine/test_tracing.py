"""Spans of what ran, with OpenTelemetry's own exporter."""

from __future__ import annotations

from typing import Any

import pytest

from daggr import FnNode, Graph
from daggr.engine.engine import Engine
from daggr.engine.tracing import Tracing
from tests.handmade import Number
from tests.unit.engine.desk import Desk

trace = pytest.importorskip("opentelemetry.trace")
sdk = pytest.importorskip("opentelemetry.sdk.trace")
export = pytest.importorskip("opentelemetry.sdk.trace.export")
memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")


def test_steps_are_spans_within_their_job(engine: Engine) -> None:
    def fail(x: int) -> int:
        raise ValueError("no")

    first = FnNode(lambda x: x, name="first", inputs={"x": Number(value=1)}, outputs={"y": None})
    desk = Desk(engine, Graph("Spans", nodes=[first, FnNode(fail, name="fail", inputs={"x": first.y})]))
    provider, found = sdk.TracerProvider(), memory.InMemorySpanExporter()
    provider.add_span_processor(export.SimpleSpanProcessor(found))
    engine.observe(Tracing(provider.get_tracer("daggr"), trace))
    desk.run("fail")
    spans: dict[str, Any] = {span.name: span for span in found.get_finished_spans()}
    assert set(spans) == {"daggr job", "first", "fail"}
    job = spans["daggr job"]
    assert {spans[name].parent.span_id for name in ("first", "fail")} == {job.context.span_id}
    assert spans["first"].attributes["daggr.cache"] == "miss"
    assert spans["first"].attributes["daggr.run"] == desk.view.state(desk.id).results["first"].run.id.hex()
    assert spans["fail"].status.status_code is trace.StatusCode.ERROR
    assert "ValueError: no" in spans["fail"].status.description
    assert job.start_time <= spans["first"].start_time <= spans["first"].end_time <= job.end_time
