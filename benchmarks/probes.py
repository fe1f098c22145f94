"""Probes: a steady trickle into each partition of `events`, and when each comes back.

A probe is a record that cannot be read: its dead letter is sent at once by whoever holds the partition, rows or no rows.
"""

import threading
import time
from dataclasses import dataclass
from typing import Self

from confluent_kafka import Consumer, Producer, TopicPartition

from benchmarks.kafka import Kafka
from tests.brokers import Installation

EVERY_S = 0.025


@dataclass(frozen=True)
class Probe:
    """One that was published to a partition, in seconds of `time.monotonic()`; `back` is None until it is handled."""

    partition: int
    sent: float
    back: float | None = None

    def waited(self, until: float) -> float:
        """Return for how long it waited, or has waited by now."""
        return (until if self.back is None else self.back) - self.sent


class Prober:
    """Publishes to every partition all the time and listens to the dead letters."""

    def __init__(self, kafka: Kafka, one: Installation, partitions: int) -> None:
        self._topic, self._letters, self._partitions = one.topic("events"), one.topic("dead-letters"), partitions
        self._producer = Producer({"bootstrap.servers": kafka.address, "linger.ms": 0, "log_level": 0})
        self._consumer = Consumer(
            {"bootstrap.servers": kafka.address, "group.id": "probes", "fetch.wait.max.ms": 5, "log_level": 0}
        )  # fmt: skip
        count = len(self._consumer.list_topics(self._letters, timeout=10).topics[self._letters].partitions)
        self._consumer.assign([TopicPartition(self._letters, n, 0) for n in range(count)])
        self._sent: list[tuple[int, float]] = []
        self._back: dict[int, float] = {}
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._publish), threading.Thread(target=self._listen)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()
        self._consumer.close()

    def probes(self, since: float = 0.0) -> list[Probe]:
        """Return what was published since then."""
        return [Probe(where, at, self._back.get(n)) for n, (where, at) in enumerate(list(self._sent)) if at >= since]

    def all_back(self, since: float, until: float) -> bool:
        """Tell whether everything published between these moments was handled."""
        return all(probe.back is not None for probe in self.probes(since) if probe.sent < until)

    def _publish(self) -> None:
        due = time.monotonic()
        while not self._ended.is_set():
            for partition in range(self._partitions):
                self._sent.append((partition, time.monotonic()))
                self._producer.produce(self._topic, b'{"probe %d' % (len(self._sent) - 1), None, partition)
            self._producer.flush(1)
            due = max(due + EVERY_S, time.monotonic())
            self._ended.wait(due - time.monotonic())

    def _listen(self) -> None:
        while not self._ended.is_set():
            for letter in self._consumer.consume(500, 0.05):
                value = letter.value() or b""
                if letter.error() is None and value.startswith(b'{"probe '):
                    self._back.setdefault(int(value.split()[1]), time.monotonic())
