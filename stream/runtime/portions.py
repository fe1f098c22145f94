"""Requests of few partitions: Kafka answers one when all of it is appended, and is silent as long."""

from collections import Counter
from collections.abc import Collection
from typing import Any

from aiokafka import AIOKafkaProducer

MOST = 32
"""So many partitions a request. The first append to a partition, behind each change of its leader too, waits for a file to reach
the broker's disk: 20 ms, in a bad hour five times as much, so that a request of hundreds outlasted a checkpoint's deadline."""


def in_portions(kafka: AIOKafkaProducer) -> AIOKafkaProducer:
    """Return a producer made to send a broker what is ready by requests of few partitions, each in its turn."""
    accumulator: Any = kafka._message_accumulator
    drain, leader_of = accumulator.drain_by_nodes, accumulator._cluster.leader_for_partition

    def drain_by_nodes(ignore_nodes: Collection[int], muted_partitions: frozenset[Any] = frozenset()) -> Any:
        ready, late = Counter[int](), set()
        for tp in accumulator._batches:  # a batch of each, in the order of coming
            if tp not in muted_partitions and (leader := leader_of(tp)) not in {None, -1}:
                ready[leader] += 1
                if ready[leader] > MOST:
                    late.add(tp)
        return drain(ignore_nodes, muted_partitions | late)

    accumulator.drain_by_nodes = drain_by_nodes
    return kafka
