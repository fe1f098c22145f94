"""Who is told to wait waits, sends less at once and is not taken for hung: with aiokafka's own sender."""

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError
from aiokafka.producer.message_accumulator import MessageAccumulator
from aiokafka.producer.sender import Sender
from aiokafka.structs import TopicPartition

from stream.runtime import lanes
from stream.runtime.lanes import Message, Outbox
from stream.runtime.quota import LEAST, LONGEST_S, Quota, obeys

NODE = 1


class Broker:
    """Acknowledges at once, and says what a quota makes of it; `turn_s` is how long a batch may wait for its turn."""

    def __init__(self, throttle_ms: int, turn_s: float = 10.0) -> None:
        self.throttle_ms, self._turn_s = throttle_ms, turn_s
        self.client, self._client_id = self, "mine"
        self.at: list[float] = []
        """When requests came."""
        self.cluster: Any = SimpleNamespace(leader_for_partition=lambda _: NODE)
        self._accumulator = MessageAccumulator(self.cluster, 1000, 0, 10)

    async def start(self) -> None:
        self._sender = Sender(
            self, acks=-1, txn_manager=None, message_accumulator=self._accumulator, retry_backoff_ms=1, request_timeout_ms=1
        )  # fmt: skip
        await self._sender.start()

    async def stop(self) -> None:
        task: Any = self._sender.sender_task
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def send(self, _node: int, request: Any) -> Any:
        self.at.append(asyncio.get_running_loop().time())
        topics: list[Any] = [
            (topic, [(number, 0, 7, -1, 0, [], None) for number, _ in parts]) for topic, parts in request._topics
        ]
        return SimpleNamespace(API_VERSION=8, topics=topics, throttle_time_ms=self.throttle_ms)

    def _ensure_producer(self) -> "Broker":
        return self

    def create_batch(self) -> Any:
        return self._accumulator.create_builder()

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> Any:
        return await self._accumulator.add_batch(batch, TopicPartition(topic, partition), self._turn_s)


async def sent(kafka: Any, quota: Quota, count: int) -> None:
    """Send some batches of one partition, one a request."""
    obeys(kafka, quota)
    await kafka.start()
    box = Outbox(lambda: kafka, lambda: None, quota=quota)
    acknowledged = [box.put("people", 0, [Message(b"k", bytes(900))]) for _ in range(count)]
    await asyncio.wait_for(asyncio.gather(*acknowledged), 10)
    box.stop()
    await kafka.stop()


async def test_the_next_request_waits_as_long_as_the_broker_said() -> None:
    kafka, quota = Broker(throttle_ms=200), Quota()
    await sent(kafka, quota, 3)
    assert len(kafka.at) == 3
    assert kafka.at[2] - kafka.at[0] >= 0.4
    assert quota.until >= kafka.at[2] + 0.2


async def test_without_a_quota_nothing_waits() -> None:
    kafka, quota = Broker(throttle_ms=0), Quota()
    await sent(kafka, quota, 3)
    assert quota.left_s(NODE) == quota.until == float("-inf")


async def test_a_batch_may_wait_for_its_turn_longer_than_a_request_for_its_answer() -> None:
    kafka = Broker(throttle_ms=300, turn_s=0.1)
    await sent(kafka, Quota(), 4)
    assert len(kafka.at) == 4


async def test_a_batch_waits_for_its_turn_as_long_as_kafka_acknowledges_others() -> None:
    acknowledged, asked = iter((False, True, False)), []

    async def never(*_: Any, **__: Any) -> None:
        asked.append(quota.clock())
        raise KafkaTimeoutError

    kafka: Any = Broker(throttle_ms=0)
    kafka.send_batch, quota = never, Quota()
    obeys(kafka, quota, lambda: quota.clock() if next(acknowledged) else asked[-1] - 1)
    with pytest.raises(KafkaTimeoutError):
        await kafka.send_batch(None, "people", partition=0)
    assert len(asked) == 1
    with pytest.raises(KafkaTimeoutError):
        await kafka.send_batch(None, "people", partition=0)
    assert len(asked) == 3


async def test_where_nobody_said_to_wait_a_batch_that_gets_no_turn_is_a_failure() -> None:
    async def never(*_: Any, **__: Any) -> None:
        raise KafkaTimeoutError

    kafka: Any = Broker(throttle_ms=0)
    kafka.send_batch = never
    obeys(kafka, Quota())
    with pytest.raises(KafkaTimeoutError):
        await kafka.send_batch(None, "people", partition=0)


async def test_another_broker_is_not_waited_for() -> None:
    quota = Quota(lambda: 0.0)
    quota.heard(NODE, 5000, "mine")
    assert (quota.left_s(NODE), quota.left_s(2)) == (5.0, float("-inf"))


async def test_less_is_under_way_while_a_quota_makes_us_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "MAX_BYTES", 10_000)
    kafka: Any = Broker(throttle_ms=0)
    quota = Quota(lambda: 0.0)
    box = Outbox(lambda: kafka, lambda: None, quota=quota)
    box.waiting = 9_000
    await asyncio.wait_for(box.room(), 5)
    quota.heard(NODE, 2000, "mine")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(box.room(), 0.05)
    box.waiting = 4_000
    await asyncio.wait_for(box.room(), 5)


class Clock:
    """Shows what it is set to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_how_much_may_be_under_way_falls_with_long_waits_and_rises_when_there_are_none() -> None:
    """By what the wait was too long, once in ten seconds: what was under way before says nothing new."""
    clock = Clock()
    quota = Quota(clock)

    def heard(at: float, throttle_ms: int) -> float:
        clock.now = 1000.0 + at
        quota.heard(NODE, throttle_ms, "mine")
        return quota.share

    assert [heard(at, ms) for at, ms in ((0, 900), (1, 4000), (5, 4000), (12, 2000))] == [1, 1 / 4, 1 / 4, 1 / 8]
    assert quota.part_of(8) == quota.part_of(1) == 1
    assert [heard(at, 0) for at in (14, 73)] == [1 / 8, 1 / 8]
    assert [heard(at, 0) for at in (75, 76, 86, 97, 200)] == [1 / 4, 1 / 4, 1 / 2, 1, 1]
    assert heard(300, 10_000_000) == LEAST
    assert quota.left_s(NODE) == LONGEST_S


def test_a_wait_is_told_once_a_minute_with_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    quota = Quota(clock)
    with caplog.at_level(logging.WARNING):
        for _ in range(180):
            quota.heard(NODE, 1500, "mine")
            clock.now += 1
    assert len(caplog.messages) == 3
    assert "wait 1.5 s" in caplog.messages[0]
    assert "raise producer_byte_rate of its user or client id (mine)" in caplog.messages[0]
