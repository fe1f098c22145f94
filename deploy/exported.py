"""Every metric that an installation exports, with its type and labels, asked of the registries themselves."""

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.registry import Collector

from stream.collector.watching import Watching as Collecting
from stream.collector.write_keys import WriteKey
from stream.ops.exposition import Exposition
from stream.ops.lag import Copies, GroupLag, Lag, Report
from stream.ops.metrics import Metrics
from stream.outbound.meter import Meter

PROMETHEUS_OWN = {"up": ()}
"""What Prometheus itself tells of each target."""


@dataclass(frozen=True, slots=True)
class Family:
    """A metric: `name` is that of its samples, for a histogram without `_bucket`, `_sum`, `_count`."""

    name: str
    kind: str
    labels: tuple[str, ...]
    documentation: str

    @property
    def series(self) -> tuple[str, ...]:
        """The names of its samples."""
        return tuple(self.name + end for end in ("_bucket", "_sum", "_count")) if self.kind == "histogram" else (self.name,)


def families() -> dict[str, Family]:
    """Return every metric of workers, collectors and webhooks by name."""
    metrics = Metrics()
    lag = Lag("events", 0, 1, 2, 1, 1.0, "OK")
    report = Report([lag], others=[GroupLag("crm", [lag])], copies={"events": Copies(1, 1)})
    metrics.registry.register(Exposition("leadstream", lambda: report))
    collecting = Collecting()
    collecting.note(WriteKey("website"), [("none", "accepted", b"")])
    collecting.answered(200)
    found = [*_read(metrics.registry), *_told(collecting), *_read(Meter().registry)]
    return {family.name: family for family in sorted(found, key=lambda family: family.name)}


def _read(registry: CollectorRegistry) -> Iterator[Family]:
    for collector in list(registry._collector_to_names):  # noqa: SLF001 - nowhere else are labels of what has no sample yet
        yield from _told(collector)


def _told(collector: Collector) -> Iterator[Family]:
    if isinstance(collector, MetricWrapperBase):
        kind, name = collector._type, collector._name  # noqa: SLF001 - likewise
        labels = tuple(collector._labelnames)  # noqa: SLF001 - likewise
        told = collector._documentation  # noqa: SLF001 - likewise
        yield Family(f"{name}_total" if kind == "counter" else name, str(kind), labels, told)
        return
    for metric in collector.collect():
        name = f"{metric.name}_total" if metric.type == "counter" else metric.name
        labels = tuple(
            label for label in dict.fromkeys(key for sample in metric.samples for key in sample.labels) if label != "le"
        )
        yield Family(name, metric.type, labels, metric.documentation)
