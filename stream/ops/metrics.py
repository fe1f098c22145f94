"""What a worker counts, under the names of the contract. Never a visitor, address, e-mail or URL in a label."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector
from prometheus_client.core import HistogramMetricFamily, Metric

from stream.runtime.exits import REASONS as EXITS

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
REFUSALS = (
    "too_large", "not_json", "not_an_object", "schema_violation", "unknown_type", "no_identity", "bad_timestamp", "erased",
)  # fmt: skip
"""The reasons of dead letters; those of `schemas.dead_letter`, which takes long to import."""


class LatencyHistogram:
    """A histogram in seconds that takes many observations at once: a batch costs a sort and a few bisections."""

    def __init__(self, name: str, documentation: str, registry: CollectorRegistry) -> None:
        self._name, self._documentation = name, documentation
        self._below = [0] * len(SECONDS)
        self._count, self._sum = 0, 0.0
        registry.register(self)

    def observe_many(self, seconds: Iterable[float]) -> None:
        """Add observations."""
        values = sorted(seconds)
        for i, bound in enumerate(SECONDS):
            self._below[i] += bisect_right(values, bound)
        self._count += len(values)
        self._sum += sum(values)

    def observe_since(self, instants_ms: Iterable[int], now_ms: int) -> None:
        """Add how long ago each of these instants was, 0 for one to come; a subtraction for each costs four times as much."""
        values = sorted(instants_ms)
        for i, bound in enumerate(SECONDS):
            self._below[i] += len(values) - bisect_left(values, now_ms - bound * 1000)
        past = values[: bisect_right(values, now_ms)]
        self._count += len(values)
        self._sum += (now_ms * len(past) - sum(past)) / 1000

    def collect(self) -> Iterator[Metric]:
        """Yield the present state, as prometheus_client asks for it."""
        buckets = [(str(bound), float(below)) for bound, below in zip(SECONDS, self._below, strict=True)]
        buckets.append(("+Inf", float(self._count)))
        yield HistogramMetricFamily(self._name, self._documentation, buckets=buckets, sum_value=self._sum)


class Metrics:
    """The metrics of one worker, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.events = Counter("leadstream_events", "Records read", ["topic"], registry=registry)
        self.applied = Counter("leadstream_applied", "Events applied to a row", registry=registry)
        self.duplicates = Counter("leadstream_duplicates", "Events known already", registry=registry)
        self.echoes = Counter("leadstream_echoes", "Our own stage changes coming back from a CRM", registry=registry)
        self.own = Counter("leadstream_own", "The app's own records in events", registry=registry)
        self.forwarded = Counter("leadstream_forwarded", "Events found in another partition than their key's", registry=registry)
        self.dead_letters = Counter("leadstream_dead_letters", "Records that cannot be processed", ["reason"], registry=registry)
        self.late = Counter("leadstream_late_events", "Events older than the newest of their visitor", registry=registry)
        self.stage_changes = Counter("leadstream_stage_changes", "Stage changes", ["from", "to", "reason"], registry=registry)
        self.rebalances = Counter("leadstream_rebalances", "Assignments by the group", registry=registry)
        self.timers = Gauge("leadstream_timers_armed", "Leads with a change that comes by itself", registry=registry)
        self.clock_lag = Gauge(
            "leadstream_clock_lag_seconds", "How far a partition's tick is behind", ["partition"], registry=registry
        )
        self.checkpoint = Gauge("leadstream_checkpoint_seconds", "Duration of the newest checkpoint", registry=registry)
        self.rows = Gauge("leadstream_table_rows", "Rows held here", ["table"], registry=registry)
        self.recovery = Gauge("leadstream_recovery_seconds", "Duration of the newest recovery", registry=registry)
        self.event_latency = LatencyHistogram("leadstream_event_latency_seconds", "Receive time to durable", registry)
        self.stage_change_latency = LatencyHistogram(
            "leadstream_stage_change_latency_seconds", "Receive time of the cause to acknowledged", registry
        )
        self.account_changes = Counter(
            "leadstream_account_changes", "Stage changes of accounts", ["from", "to", "reason"], registry=registry
        )
        self.account_change_latency = LatencyHistogram(
            "leadstream_account_change_latency_seconds", "Receive time of an account's cause to acknowledged", registry
        )
        self.people_clock = Gauge(
            "leadstream_people_clock_lag_seconds",
            "How far the people's clock is behind, with the partition that holds it; told by the worker that has the people",
            ["partition"], registry=registry,
        )  # fmt: skip
        self.ready = Gauge("leadstream_ready", "1: assigned, restored, Kafka answers", registry=registry)
        self.exits = Counter("leadstream_exits", "Times a worker ended itself, as kept in EXITS", ["reason"], registry=registry)
        self.canaries = Counter("leadstream_canaries", "Canaries sent through a partition", ["partition"], registry=registry)
        self.canaries_back = Counter(
            "leadstream_canaries_back", "Canaries that came back at the end of the way", ["partition"], registry=registry
        )
        self.canary_waiting = Gauge(
            "leadstream_canary_waiting_seconds", "Age of the oldest canary that is not back", ["partition"], registry=registry
        )
        self.canary_latency = LatencyHistogram(
            "leadstream_canary_latency_seconds", "A canary sent to read again behind the people", registry
        )
        ProcessCollector(registry=registry)
        for reason in REFUSALS:
            self.dead_letters.labels(reason)  # a rate of what was never there is nothing, of 0 it is 0
        self.exited({})

    def exited(self, counts: Mapping[str, int]) -> None:
        """Take over what former processes counted."""
        for reason in EXITS:
            self.exits.labels(reason).inc(counts.get(reason, 0))
