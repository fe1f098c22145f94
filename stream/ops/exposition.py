"""What Prometheus asks a worker beside its counters: lag, status, copies."""

from collections.abc import Callable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from stream.ops.evaluator import Status
from stream.ops.lag import GroupLag, Report

LABELS = ["group", "topic", "partition"]
STATUSES = [Status.OK, Status.WARN, Status.STALL, Status.REWIND, Status.STOP, Status.UNKNOWN]
"""The values of the status metric, from 0."""


class Exposition:
    """A collector for prometheus_client.

    Args:
        group: the consumer group.
        report: gives the newest measurement; each partition is told by the one worker that holds it, and what belongs to
            nobody by the one that holds the people. That a partition has stopped, or that Kafka does not tell of it, is told
            by all. What is not known has no sample: an old value would be taken for true.
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
        status = GaugeMetricFamily(
            "leadstream_partition_status", "0 OK, 1 WARN, 2 STALL, 3 REWIND, 4 STOP, 5 UNKNOWN, by Burrow's rules", labels=LABELS
        )
        replicas = GaugeMetricFamily("leadstream_topic_replicas", "Copies of the partition with fewest", labels=["topic"])
        in_sync = GaugeMetricFamily("leadstream_topic_in_sync_replicas", "Copies in sync there", labels=["topic"])
        report, ends = self._report(), dict[tuple[str, str], int]()
        for group in (GroupLag(self._group, report.lags), *report.others):
            for told in group.lags:
                place = [told.topic, str(told.partition)]
                if told.end is not None:
                    ends[told.topic, str(told.partition)] = told.end
                if told.records is not None:
                    lag.add_metric([group.group, *place], told.records)
                status.add_metric([group.group, *place], STATUSES.index(Status(told.status)))
                if told.seconds is not None:
                    seconds.add_metric([group.group, *place], told.seconds)
        for told in report.elsewhere:
            status.add_metric([self._group, told.topic, str(told.partition)], STATUSES.index(Status(told.status)))
        for where, end in ends.items():
            latest.add_metric(where, end)
        for topic, copies in report.copies.items():
            replicas.add_metric([topic], copies.replicas)
            in_sync.add_metric([topic], copies.in_sync)
        yield from (lag, seconds, latest, status, replicas, in_sync)
