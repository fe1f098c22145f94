"""Traces: spans of what a worker does, without a word of what it is about; nothing at all where they are off."""

import sys
from typing import Any

import pytest

from stream.agents.tracing import trace, tracer
from stream.errors import UsageError
from tests.app.test_agents import Bench, record, told

pytest.importorskip("opentelemetry.sdk", reason="OpenTelemetry is not installed: pip install 'leadstream[otel]'")


class Traced:
    """Both agents, traced into memory."""

    def __init__(self) -> None:
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - optional
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: PLC0415 - optional
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: PLC0415 - optional

        self.bench, self.exported = Bench(), InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exported))
        worker: Any = type("Worker", (), {"visitors": self.bench.visitors, "people_log": self.bench.people})()
        worker.settings = type("Settings", (), {"app": "leadstream"})()
        self.checkpoint = trace(worker, provider.get_tracer("tests"))

    def spans(self) -> list[tuple[str, dict[str, Any]]]:
        return [(span.name, dict(span.attributes or {})) for span in self.exported.get_finished_spans()]


async def test_a_batch_makes_a_span_that_names_nobody() -> None:
    traced = Traced()
    traced.bench.events(record(b"user::zanzibar", told(userId="zanzibar", traits={"email": "zanzibar@acme.example"})))
    ((name, attributes),) = traced.spans()
    assert name == "process events"
    assert attributes["messaging.system"] == "kafka"
    assert attributes["messaging.batch.message_count"] == 1
    assert attributes["messaging.destination.name"] == "events"
    assert "zanzibar" not in repr(traced.spans())


async def test_a_checkpoint_makes_a_span_of_its_length() -> None:
    traced = Traced()
    traced.checkpoint([], 0.25)
    (span,) = traced.exported.get_finished_spans()
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.end_time - span.start_time == 250_000_000


def test_without_opentelemetry_the_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(UsageError, match="pip install"):
        tracer("leadstream")


async def test_what_is_off_wraps_nothing() -> None:
    bench = Bench()
    assert "take_events" not in vars(bench.visitors)
