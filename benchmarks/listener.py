"""Listens to `stage-changes` and notes when each lead was first heard of, when its stage fell, and when it was merged."""

import threading
import time
from collections.abc import Iterable
from typing import Self

from confluent_kafka import Consumer, TopicPartition

from benchmarks.bar import Bar
from benchmarks.kafka import Kafka
from tests.brokers import Installation

_DOWN = b'"direction":"down"'
_MERGED = b'"type":"lead.merged.v1"'


class Listener:
    """A consumer beside the product; times are seconds of `time.time()`."""

    def __init__(self, kafka: Kafka, one: Installation, partitions: int = 8) -> None:
        settings = {"bootstrap.servers": kafka.address, "group.id": "listener", "fetch.wait.max.ms": 5, "log_level": 0}
        self._consumer = Consumer(settings)
        self._consumer.assign([TopicPartition(one.topic("stage-changes"), partition, 0) for partition in range(partitions)])
        self._one = one
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self.first: dict[str, float] = {}
        self.falls: dict[str, tuple[float, bytes]] = {}
        self.merged: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._consumer.close()

    def wait_for(self, leads: Iterable[str], what: str, limit_s: float) -> None:
        """Wait until all of these were heard of."""
        self._wait(set(leads), self.first, what, limit_s)

    def wait_for_falls(self, leads: Iterable[str], what: str, limit_s: float) -> None:
        """Wait until the stages of all of these fell."""
        self._wait(set(leads), self.falls, what, limit_s)

    def wait_for_merges(self, leads: Iterable[str], what: str, limit_s: float) -> None:
        """Wait until all of these were merged into another."""
        self._wait(set(leads), self.merged, what, limit_s)

    def _wait(
        self, wanted: set[str], known: dict[str, float] | dict[str, tuple[float, bytes]], what: str, limit_s: float
    ) -> None:
        bar, limit = Bar(what, len(wanted)), time.monotonic() + limit_s
        while missing := sum(lead not in known for lead in wanted):
            ended = [process for process in self._one.processes if process.exit_code]
            if ended or time.monotonic() > limit:
                last = "".join(process.output[-2000:] for process in ended)
                raise RuntimeError(f"{what}: {missing} of {len(wanted)} did not come\n{last}")
            bar.at(len(wanted) - missing)
            time.sleep(0.2)
        bar.end()

    def _listen(self) -> None:
        while not self._ended.is_set():
            for message in self._consumer.consume(500, 0.02):
                if message.error() is None:
                    self._note((message.key() or b"").decode(), message.value() or b"")

    def _note(self, lead: str, value: bytes) -> None:
        at = time.time()
        self.first.setdefault(lead, at)
        if _MERGED in value:
            self.merged.setdefault(lead, at)
        if _DOWN in value:
            self.falls.setdefault(lead, (at, value))
