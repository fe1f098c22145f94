"""`leadstream resync` asks and reads all partitions that the topics have, whatever PARTITIONS says."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from aiokafka import TopicPartition

from stream.agents.headers import RESYNC
from stream.cli.resync import PARTS, Clients, _ask_visitors
from stream.domain import log
from stream.settings import Settings
from tests.unit.standing_kafka import StandingKafka

HERE = 5
KAFKA = StandingKafka({TopicPartition(topic, n): 2 for topic in ("events", "stage-changes") for n in range(HERE)})


class Producer:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, int]] = []

    async def send(self, topic: str, value: bytes, partition: int, headers: list[Any]) -> "asyncio.Future[Any]":
        assert (topic, headers) == ("events", [RESYNC])
        record = log.decode(value)
        assert isinstance(record, log.Resync)
        self.sent.append((partition, record.part))
        acknowledged: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        acknowledged.set_result(SimpleNamespace(offset=len(self.sent)))
        return acknowledged


def clients(producer: Producer) -> Clients:
    return Clients(cast("Any", KAFKA.admin()), cast("Any", KAFKA.consumer()), cast("Any", producer))


async def test_every_slice_of_every_partition_is_asked() -> None:
    producer = Producer()
    await _ask_visitors(Settings(partitions=2), clients(producer), "run")
    assert producer.sent == [(partition, part) for partition in range(HERE) for part in range(PARTS)]


async def test_every_partition_is_read() -> None:
    assert len([record async for record in clients(Producer()).read("stage-changes")]) == 2 * HERE
