"""Somebody else's groups, which read our topics, and somebody else's transaction."""

import itertools
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from confluent_kafka import Consumer, Producer, TopicPartition

from tests.brokers import Installation


class Reader:
    """Somebody else's group: it is no member, and commits what it likes."""

    def __init__(self, installation: Installation, group: str, topic: str, partition: int = 0) -> None:
        settings = {"bootstrap.servers": installation.broker.address, "group.id": group, "log_level": 0}
        self._consumer, self._place = Consumer(settings), (installation.topic(topic), partition)

    def commit(self, *offsets: int) -> None:
        for offset in offsets:
            self._consumer.commit(offsets=[TopicPartition(*self._place, offset)], asynchronous=False)

    def close(self) -> None:
        self._consumer.close()


@contextmanager
def committing(offsets: Mapping[Reader, int], every_s: float) -> Iterator[None]:
    """Let each commit one offset ten times, and on and on meanwhile."""
    counted, ended = threading.Event(), threading.Event()

    def commit() -> None:
        for count in itertools.count(1):
            for reader, offset in offsets.items():
                reader.commit(offset)
            if count == 12:
                counted.set()
            if ended.wait(every_s):
                return

    thread = threading.Thread(target=commit)
    thread.start()
    try:
        assert counted.wait(60)
        yield
    finally:
        ended.set()
        thread.join()


def an_open_transaction(installation: Installation, topic: str, partition: int, timestamp_ms: int) -> Producer:
    """Send records, and leave the transaction open."""
    settings = {"bootstrap.servers": installation.broker.address, "transactional.id": installation.prefix, "log_level": 0}
    producer = Producer(settings)
    producer.init_transactions(60)
    producer.begin_transaction()
    for _ in range(3):
        producer.produce(installation.topic(topic), b"{}", b"a", partition=partition, timestamp=timestamp_ms)
    assert producer.flush(30) == 0
    return producer
