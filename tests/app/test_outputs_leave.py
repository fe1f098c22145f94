"""What is put leaves before more is read, and a long changelog keeps nothing else waiting: with aiokafka's own sender."""

import asyncio
from collections.abc import AsyncIterator
from os import urandom
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.producer.message_accumulator import MessageAccumulator
from aiokafka.producer.sender import Sender
from aiokafka.record import MemoryRecords
from aiokafka.structs import TopicPartition

from stream.runtime.lanes import Message, Outbox
from stream.runtime.large import LARGE, LARGEST, ZSTD
from stream.runtime.producer import PIECE_BYTES, BatchProducer
from stream.runtime.topics import RECORD_BYTES

LIMIT = 900_000


class Broker:
    """Takes requests and answers none."""

    def __init__(self) -> None:
        self.requests: list[dict[str, int]] = []
        """The topics of each, with how many bytes."""
        self.asked = asyncio.Event()
        self.cluster = SimpleNamespace(leader_for_partition=lambda _: 1)
        self._accumulator = MessageAccumulator(self.cluster, LIMIT, 0, 10)
        self.sender = Sender(
            self, acks=-1, txn_manager=None, message_accumulator=self._accumulator, retry_backoff_ms=1, request_timeout_ms=1
        )  # fmt: skip
        self.answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def send(self, _node: int, request: Any) -> None:
        self.requests.append({topic: sum(len(data) for _, data in parts) for topic, parts in request._topics})
        self.asked.set()
        await self.answer

    def _ensure_producer(self) -> "Broker":
        return self

    def create_batch(self) -> Any:
        return self._accumulator.create_builder()

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> Any:
        return await self._accumulator.add_batch(batch, TopicPartition(topic, partition), 10)


class Kept(Broker):
    """Acknowledges each batch at once, and keeps it as it would leave."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []

    async def send_batch(self, batch: Any, _topic: str, *, partition: int) -> Any:  # noqa: ARG002 - aiokafka's
        self.sent.append(bytes(batch._builder.build()))
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    made = Broker()
    await made.sender.start()
    await asyncio.sleep(0)
    yield made
    made.answer.cancel()
    task: Any = made.sender.sender_task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_was_put_has_left_when_the_next_batch_is_applied(broker: Broker) -> None:
    producer: Any = broker
    box = Outbox(lambda: producer, lambda: None)
    box.put("people", 0, [Message(b"1", b"a")])
    await box.room()
    assert [[*topics] for topics in broker.requests] == [["people"]]
    box.stop()


async def test_a_large_message_leaves_compressed_and_alone_in_its_turn() -> None:
    """Before and behind it small ones leave as they are; all are read in the order of putting."""
    producer: Any = Kept()
    box = Outbox(lambda: producer, lambda: None)
    box.put("dead-letters", 0, [Message(b"1", b"a"), Message(b"2", bytes(LARGE + 1)), Message(b"3", b"b")])
    await box.put("dead-letters", 0, [Message(b"4", bytes(3 * LARGE))])
    batches = [MemoryRecords(data).next_batch() for data in producer.sent]
    assert [batch.compression_type for batch in batches] == [0, ZSTD, 0, ZSTD]
    assert max(map(len, producer.sent)) < 10_000
    assert [[record.key for record in batch] for batch in batches] == [[b"1"], [b"2"], [b"3"], [b"4"]]
    box.stop()


@pytest.mark.parametrize(
    "message",
    [
        Message(bytes(3 * LARGE), b"v"),
        Message(b"k", b"v", [("big", bytes(3 * LARGE))]),
        Message(b"k", b"v", [("n" * LARGE, b"")]),
    ],
    ids=["key", "header", "name of a header"],
)
async def test_what_makes_a_message_large_is_not_its_value_alone(message: Message) -> None:
    producer: Any = Kept()
    box = Outbox(lambda: producer, lambda: None)
    await box.put("dead-letters", 0, [message])
    (batch,) = [MemoryRecords(data).next_batch() for data in producer.sent]
    assert (batch.compression_type, [record.key for record in batch]) == (ZSTD, [message.key])
    assert len(producer.sent[0]) < 10_000
    box.stop()


async def test_memory_counts_keys_and_headers_too(broker: Broker) -> None:
    producer: Any = broker
    box = Outbox(lambda: producer, lambda: None)
    box.put("dead-letters", 0, [Message(bytes(1000), None, [("big", bytes(2000))])])
    assert box.waiting > 3000
    box.stop()


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        (bytes(3 * LARGE), True),
        (3 * urandom(600_000), True),  # gzip sees no repeats that lie so far apart
        (urandom(1_048_000), True),
        (urandom(1_048_588), False),
        (bytes(LARGEST), False),
    ],
    ids=["repeats", "repeats far apart", "no repeats", "no repeats, and the limit without what is around it", "too much to try"],
)
def test_a_message_fits_by_what_it_is_compressed(value: bytes, *, fits: bool) -> None:
    assert Message(None, value).fits(RECORD_BYTES) is fits


async def test_a_changelog_goes_in_pieces_so_that_others_go_with_them(broker: Broker) -> None:
    producer: Any = broker
    rows = [(str(number).encode(), bytes(1000)) for number in range(500)]
    sending = asyncio.ensure_future(BatchProducer.send_many(producer, "rows", 0, rows, 0))
    await asyncio.wait_for(broker.asked.wait(), 10)
    await asyncio.sleep(0.01)  # in which a second request could leave
    assert [[*topics] for topics in broker.requests] == [["rows"]]
    assert PIECE_BYTES / 2 < broker.requests[0]["rows"] <= PIECE_BYTES < LIMIT / 4
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)


async def test_a_cut_is_one_batch_however_long(broker: Broker) -> None:
    producer: Any = broker
    rows = [(str(number).encode(), bytes(1000)) for number in range(500)]
    sent = await BatchProducer.send_many(producer, "rows", 0, rows, 0, whole=True)
    assert [count for _, count, _ in sent] == [500]
    await asyncio.wait_for(broker.asked.wait(), 10)
    assert broker.requests[0]["rows"] > 500_000
