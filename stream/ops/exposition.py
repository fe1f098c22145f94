"""What Prometheus asks a worker beside its counters: the lag of the partitions it holds."""

from collections.abc import Callable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from stream.ops.lag import Report

LABELS = ["group", "topic", "partition"]


class Exposition:
    """A collector for prometheus_client.

    Args:
        group: the consumer group.
        report: gives the newest measurement; each partition is told by the one worker that holds it.
    """

    def __init__(self, group: str, report: Callable[[], Report]) -> None:
        self._group, self._report = group, report

    def collect(self) -> Iterator[Metric]:
        """Yield the present state, as prometheus_client asks for it."""
        lag = GaugeMetricFamily("kafka_consumergroup_group_lag", "Records behind the commit", labels=LABELS)
        seconds = GaugeMetricFamily(
            "kafka_consumergroup_group_lag_seconds", "Age of the oldest record behind the commit", labels=LABELS
        )
        latest = GaugeMetricFamily("kafka_partition_latest_offset", "Next offset to be written", labels=["topic", "partition"])
        for told in self._report().lags:
            place = [told.topic, str(told.partition)]
            lag.add_metric([self._group, *place], told.records)
            latest.add_metric(place, told.end)
            if told.seconds is not None:
                seconds.add_metric([self._group, *place], told.seconds)
        yield from (lag, seconds, latest)
