"""Traces: spans of what a worker does, without a word of what it is about; nothing at all where they are off."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from stream.agents.accounts import AccountsLog
from stream.agents.tracing import trace, tracer
from stream.app import shipped_ruleset
from stream.domain import log
from stream.domain.accounts.fold import Accounts
from stream.errors import UsageError
from stream.runtime.atomic import AtomicTable
from tests.app.test_agents import NOW, TOPICS, Bench, record, told
from tests.app.test_partstore import store

pytest.importorskip("opentelemetry.sdk", reason="OpenTelemetry is not installed: pip install 'leadstream[otel]'")


class Traced:
    """All agents, traced into memory."""

    def __init__(self) -> None:
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - optional
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: PLC0415 - optional
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: PLC0415 - optional

        self.bench, self.exported = Bench(), InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exported))
        flow, kept = self.bench.flow, store()
        table = AtomicTable(lambda: kept, "accounts-changelog", lambda stored: Accounts(stored, "app", shipped_ruleset()))
        self.accounts = AccountsLog(flow, table, TOPICS, self.bench.metrics)  # type: ignore[arg-type]  # all of a flow that it uses
        worker: Any = SimpleNamespace(settings=SimpleNamespace(app="leadstream"), accounts_log=self.accounts)
        worker.visitors, worker.people_log = self.bench.visitors, self.bench.people
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


async def test_a_batch_of_each_topic_that_is_read_makes_a_span() -> None:
    traced = Traced()
    bench = traced.bench
    tick, wake = (record(None, log.encode(one)) for one in (log.Tick(0, NOW), log.Wake("user::1", NOW)))
    bench.events(record(b"user::1", told(userId="1")))
    await bench.visitors.read_wakes(bench.batch("wakes", 0, [wake]))
    await bench.people.read(bench.batch("people", 0, [tick]))
    await traced.accounts.read(bench.batch("members", 0, [tick]))

    assert [name for name, _ in traced.spans()] == ["process events", "process wakes", "process people", "process members"]


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
