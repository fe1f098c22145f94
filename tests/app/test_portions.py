"""A broker is sent few partitions a request: each in its turn, and none waits for ever."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.errors import LeaderNotAvailableError
from aiokafka.producer.message_accumulator import BatchBuilder, MessageAccumulator
from aiokafka.structs import TopicPartition

from stream.runtime.portions import MOST, in_portions

NOBODY = -1


def tp(number: int) -> TopicPartition:
    return TopicPartition("t", number)


class Kafka:
    """A producer with aiokafka's own accumulator; `brokers` share the partitions, of `leaderless` nobody is the leader."""

    def __init__(self, brokers: int = 1, leaderless: tuple[int, ...] = ()) -> None:
        self._brokers, self._leaderless = brokers, leaderless
        cluster = SimpleNamespace(leader_for_partition=self._leader)
        self._message_accumulator: Any = MessageAccumulator(cluster, 1000, 0, 10.0)
        in_portions(cast("Any", self))

    def _leader(self, where: TopicPartition) -> int:
        return NOBODY if where.partition in self._leaderless else where.partition % self._brokers

    async def put(self, *numbers: int) -> None:
        for number in numbers:
            batch = BatchBuilder(1000, 0)
            batch.append(timestamp=None, key=b"k", value=b"v")
            batch.close()
            await self._message_accumulator.add_batch(batch, tp(number), 5.0)

    def drain(
        self, ignored: frozenset[int] = frozenset(), muted: frozenset[TopicPartition] = frozenset()
    ) -> dict[int, list[int]]:
        """Return the partitions of the requests that leave, by broker."""
        nodes, _ = self._message_accumulator.drain_by_nodes(ignore_nodes=ignored, muted_partitions=muted)
        return {node: [where.partition for where in portion] for node, portion in nodes.items()}


async def test_what_is_ready_leaves_by_requests_of_few_partitions_in_the_order_of_coming() -> None:
    kafka = Kafka()
    await kafka.put(*range(2 * MOST + 5))
    assert kafka.drain() == {0: [*range(MOST)]}
    assert kafka.drain() == {0: [*range(MOST, 2 * MOST)]}
    assert kafka.drain() == {0: [*range(2 * MOST, 2 * MOST + 5)]}
    assert kafka.drain() == {}


async def test_each_broker_is_sent_as_many() -> None:
    kafka = Kafka(brokers=2)
    await kafka.put(*range(0, 4 * MOST, 2), *range(1, MOST, 2))
    assert {node: len(portion) for node, portion in kafka.drain().items()} == {0: MOST, 1: MOST // 2}


async def test_who_has_more_waits_behind_those_that_had_no_turn_yet() -> None:
    kafka = Kafka()
    await kafka.put(*range(MOST + 2))
    assert kafka.drain() == {0: [*range(MOST)]}
    await kafka.put(*range(MOST))
    assert kafka.drain()[0][:3] == [MOST, MOST + 1, 0]


async def test_what_is_under_way_or_asked_of_a_broker_that_has_not_answered_takes_nobodys_turn() -> None:
    kafka = Kafka(brokers=2)
    await kafka.put(*range(2 * MOST))
    under_way = frozenset(tp(number) for number in range(1, 2 * MOST, 2))
    assert kafka.drain(frozenset({1}), under_way) == {0: [*range(0, 2 * MOST, 2)]}


async def test_what_has_no_leader_is_still_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    kafka = Kafka(leaderless=(MOST + 1,))
    await kafka.put(*range(MOST + 2))
    batch = kafka._message_accumulator._batches[tp(MOST + 1)][0]
    monkeypatch.setattr(batch, "expired", lambda: True)
    assert kafka.drain() == {0: [*range(MOST)]}
    with pytest.raises(LeaderNotAvailableError):
        await batch.future
