"""A real Kafka for the benchmarks: its own node, topics, and what a consumer group has committed."""

import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from confluent_kafka import KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks.bar import Bar
from tests.brokers import KafkaNode, kafka_jars
from tests.kafka.group import asker


class Kafka:
    """What a benchmark asks of a broker."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._admin = AdminClient({"bootstrap.servers": address, "log_level": 0})
        self._reader = asker(address, "benchmarks")

    def create(self, name: str, partitions: int, **config: str) -> None:
        """Create a topic; the names of its settings are written with `_`."""
        topic = NewTopic(name, partitions, 1, config={key.replace("_", "."): value for key, value in config.items()})
        for future in self._admin.create_topics([topic]).values():
            future.result()

    def delete(self, *prefixes: str) -> None:
        """Delete the topics that begin with one of these."""
        names = [name for name in self._admin.list_topics(timeout=10).topics if name.startswith(prefixes)]
        if names:
            for future in self._admin.delete_topics(names).values():
                future.result()

    def end(self, topic: str) -> int:
        """Return the sum of the next offsets of all partitions; 0 while the topic does not exist."""
        metadata = self._reader.list_topics(topic, timeout=10).topics[topic]
        if metadata.error is not None:
            return 0
        places = [TopicPartition(topic, partition) for partition in metadata.partitions]
        return sum(self._reader.get_watermark_offsets(place, timeout=10)[1] for place in places)

    def committed(self, group: str, topic: str, partitions: int) -> int:
        """Return the sum of a group's committed offsets; 0 while there are none."""
        places = [TopicPartition(topic, partition) for partition in range(partitions)]
        try:
            found = asker(self.address, group).committed(places, timeout=10)
        except KafkaException:
            return 0
        return sum(max(place.offset, 0) for place in found)

    def produce(
        self, topic: str, records: Iterable[tuple[bytes | None, bytes]], what: str = "", total: int = 0,
        headers: Mapping[str, bytes] | None = None,
    ) -> int:  # fmt: skip
        """Publish (key, value) pairs, keys placed as Java does; returns how many."""
        producer = Producer(
            {
                "bootstrap.servers": self.address,
                "partitioner": "murmur2_random",
                "linger.ms": 20,
                "batch.num.messages": 5000,
                "queue.buffering.max.messages": 200_000,
                "log_level": 0,
            }
        )
        count, bar = 0, Bar(what, total)
        for key, value in records:
            while True:
                try:
                    producer.produce(topic, value, key, headers=list((headers or {}).items()))
                    break
                except BufferError:
                    producer.poll(0.05)
            producer.poll(0)
            count += 1
            if what and not count % 1000:
                bar.at(count)
        if what:
            bar.end()
        if producer.flush(120):
            raise TimeoutError(f"{topic}: not all records were acknowledged")
        return count


@contextlib.contextmanager
def kafka(folder: Path | None = None) -> Iterator[Kafka]:
    """Yield a running Kafka: where KAFKA_BOOTSTRAP points, else a node of our own that leaves nothing behind."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was begun is ended and removed
    if address := os.environ.get("KAFKA_BOOTSTRAP"):
        yield Kafka(address)
        return
    with tempfile.TemporaryDirectory(prefix="leadstream-bench-") as made:
        node = KafkaNode((folder or Path(made)) / "kafka", kafka_jars())
        node.format()
        try:
            node.start()
            yield Kafka(node.address)
        finally:
            node.process.stop()


def progress(text: str) -> None:
    """Say on stderr how far it is."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
