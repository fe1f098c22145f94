"""OpenTelemetry traces, off unless TRACES is on: a span a batch and a checkpoint, by the conventions for messaging.

What is off costs nothing: only who wants spans has the methods wrapped. A span says topic, partition, offsets and counts, never
a key or a value. Where spans go is OpenTelemetry's own business: OTEL_EXPORTER_OTLP_ENDPOINT and its kin.

Names: https://opentelemetry.io/docs/specs/semconv/messaging/kafka/.
"""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from stream.agents.leadstream import Leadstream
from stream.errors import UsageError
from stream.runtime.batches import Batch
from stream.runtime.work import Work

T = TypeVar("T")


def tracer(app: str) -> Any:
    """Make a tracer that exports by OTLP; raises UsageError where OpenTelemetry is not installed."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - optional
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - optional
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - optional
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - optional
    except ImportError as error:
        raise UsageError(f"TRACES is on, and OpenTelemetry is not installed ({error}): pip install 'leadstream[otel]'") from error
    provider = TracerProvider(resource=Resource.create({"service.name": app}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider.get_tracer("leadstream")


def trace(worker: Leadstream, spans: Any) -> Callable[[list[Work], float], None]:
    """Let each batch that is applied make a span; return what makes one of a checkpoint."""
    group = worker.settings.app
    visitors, people, accounts = worker.visitors, worker.people_log, worker.accounts_log
    for agent, name in ((visitors, "take_events"), (visitors, "take_wakes"), (people, "take"), (accounts, "take")):
        setattr(agent, name, _traced(spans, group, getattr(agent, name)))

    def checkpoint(works: list[Work], seconds: float) -> None:
        end = time.time_ns()
        told = {
            "messaging.system": "kafka",
            "messaging.operation.name": "commit",
            "messaging.operation.type": "settle",
            "messaging.consumer.group.name": group,
            "messaging.batch.message_count": sum(len(work.received) for work in works),
        }
        spans.start_span("checkpoint", start_time=end - int(seconds * 1e9), attributes=told).end(end)

    return checkpoint


def _traced(spans: Any, group: str, take: Callable[[Batch], T]) -> Callable[[Batch], T]:
    def traced(batch: Batch) -> T:
        told = {
            "messaging.system": "kafka", "messaging.operation.name": "process", "messaging.operation.type": "process",
            "messaging.destination.name": batch.tp.topic, "messaging.destination.partition.id": str(batch.tp.partition),
            "messaging.consumer.group.name": group, "messaging.batch.message_count": len(batch.records),
            "messaging.kafka.offset": batch.start,
        }  # fmt: skip
        with spans.start_as_current_span(f"process {batch.tp.topic}", attributes=told):
            return take(batch)

    return traced
