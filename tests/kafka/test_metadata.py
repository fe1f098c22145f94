"""A group whose leader came up while its broker did not answer shares the partitions as soon as it does, not minutes later."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer

from stream.runtime.thread import BatchThread
from tests.brokers import Installation


@pytest.mark.kafka
async def test_partitions_are_shared_once_the_broker_answers(on_kafka: Installation) -> None:
    assert on_kafka.run("topics").returncode == 0
    topic = on_kafka.topic("events")
    consumer = AIOKafkaConsumer(bootstrap_servers=on_kafka.broker.address, group_id=f"{topic}-group")
    thread: Any = SimpleNamespace(_ensure_consumer=lambda: consumer, _know_topics=lambda: BatchThread._know_topics(thread))
    await consumer.start()
    try:
        answered = consumer._client._metadata_update
        consumer._client._metadata_update = _unanswered
        consumer.subscribe([topic])
        await asyncio.wait_for(consumer._subscription.wait_for_assignment(), 20)
        assert consumer.assignment() == set()
        consumer._client._metadata_update = answered
        await asyncio.sleep(2)
        assert consumer.assignment() == set(), "aiokafka asks again by itself: this rule of ours may go"
        assigned = consumer._subscription.wait_for_assignment()
        turning = asyncio.ensure_future(BatchThread._turn(thread))
        await asyncio.wait_for(assigned, 20)
        turning.cancel()
        assert {tp.topic for tp in consumer.assignment()} == {topic}
    finally:
        await consumer.stop()


async def _unanswered(*_: Any) -> bool:
    return False
