"""Sends dead letters back to `events`: a few at a time, and after each few it is noted in Kafka how far it is."""

import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, OffsetAndMetadata, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import MessageSizeTooLargeError

from schemas.dead_letter import PREFIX
from stream.cli.connections import admin_client, all_sent, consumer_client, producer_client, read_to_end
from stream.cli.letters import Filter, Letter, reading
from stream.cli.plan import TOO_LARGE, Plan, Seen, planned
from stream.cli.sent import Sent
from stream.collected import COMPANY, TRUST
from stream.errors import NegativeAnswerError
from stream.ops import group
from stream.runtime.large import LARGE, compressing, size_of
from stream.runtime.producer import partition_of
from stream.runtime.topics import is_embedded
from stream.settings import Settings

REPLAYED = "leadstream-replayed"
KEPT = (TRUST, COMPANY)
"""Headers of ours that say something of the event, not of the dead letter."""
FEW, FEW_BYTES = 100, 8 * 1024 * 1024
"""Letters, and bytes, on their way at once. A row remembers more (`stream.domain.visitor.REPLAYS`), so that those which
a broken run sends again are known."""
Told = Callable[[int, int], None]


@dataclass
class Result:
    """What became of a replay: letters sent by reason, letters left out by cause."""

    sent: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)


class Resend:
    """One replay. `told` hears how many of how many letters are acknowledged; `result` grows with them.

    The embedded broker drops what a commit says beside its offset: then `keeps_notes` is false, and another replay goes unseen.
    """

    def __init__(self, settings: Settings, wanted: Filter, told: Told) -> None:
        self._settings, self._wanted, self._told = settings, wanted, told
        self._group = f"{settings.app}-replay"
        self._notes: dict[TopicPartition, str] = {}
        self._sent: dict[int, Sent] = {}
        self.keeps_notes = True
        self.result = Result()

    async def run(self) -> None:
        """Send what was not sent before. Raises NegativeAnswerError where another replay is running."""
        async with admin_client(self._settings) as admin:
            self.keeps_notes = not await is_embedded(admin)
            topic, seen, partitions = await self._scan()
            places = [TopicPartition(topic, number) for number in range(partitions)]
            self._notes = await self._read_notes(admin, places)
            self._sent = {place.partition: Sent(_by_reason(seen, place.partition), self._notes[place]) for place in places}
            plan = planned(topic, seen, self._wanted, self._sent)
            self.result.skipped = plan.skipped
            self._told(0, plan.count)
            if plan.count:
                await self._send(admin, topic, plan)

    async def _scan(self) -> tuple[str, list[Seen], int]:
        """Read all letters, without keeping what is in them."""
        async with reading(self._settings) as (consumer, topic, partitions):
            return topic, [_seen(record) async for record in read_to_end(consumer, topic, partitions)], partitions

    async def _send(self, admin: AIOKafkaAdminClient, topic: str, plan: Plan) -> None:
        async with producer_client(self._settings) as producer, consumer_client(self._settings, self._group) as consumer:
            for partition, letters in plan.letters.items():
                place = TopicPartition(topic, partition)
                async for few in _read(consumer, place, letters):
                    for record in await self._put(producer, few):
                        reason = Letter.of(record).header("reason")
                        self._sent[partition].of(reason).add(record.offset)
                        self.result.sent[reason] += 1
                    await self._note(admin, consumer, place, few[-1].offset + 1)
                    self._told(self.result.sent.total(), plan.count)

    async def _put(self, producer: AIOKafkaProducer, few: Sequence[ConsumerRecord]) -> list[ConsumerRecord]:
        """Send letters; return those that Kafka took."""
        topic, taken = self._settings.topic("events"), []
        for record, acknowledged in zip(few, await all_sent(_leave(producer, topic, one) for one in few), strict=True):
            try:
                await acknowledged
            except MessageSizeTooLargeError:
                self.result.skipped[TOO_LARGE] += 1
            else:
                taken.append(record)
        return taken

    async def _note(self, admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer, place: TopicPartition, next_: int) -> None:
        if self.keeps_notes and (await self._read_notes(admin, [place]))[place] != self._notes[place]:
            raise NegativeAnswerError("another replay is running: let it end, then start this one again")
        self._notes[place] = self._sent[place.partition].text()
        async with group.answering(self._group):
            await consumer.commit({place: OffsetAndMetadata(next_, self._notes[place])})

    async def _read_notes(self, admin: AIOKafkaAdminClient, places: list[TopicPartition]) -> dict[TopicPartition, str]:
        found = await group.commits(admin, self._group, places)
        return {place: at.metadata if (at := found.get(place)) else "" for place in places}


async def _leave(producer: AIOKafkaProducer, topic: str, record: ConsumerRecord) -> Any:
    """Hand on one letter, compressed where it is large, for so it may have come; the future is done when Kafka has it."""
    key, value = record.key, record.value
    headers = [(name, content) for name, content in record.headers if not name.startswith(PREFIX) or name in KEPT]
    headers.append((REPLAYED, Letter.of(record).place.encode()))
    if size_of(key, value, headers) <= LARGE:
        return await producer.send(topic, value, key=key, headers=headers)
    count = len(await producer.partitions_for(topic))
    partition = record.partition % count if key is None else partition_of(key, count)
    batch = producer.create_batch()
    batch._builder = compressing()  # noqa: SLF001 - aiokafka compresses all that a producer sends, or nothing
    batch.append(timestamp=int(time.time() * 1000), key=key, value=value, headers=headers)
    return await producer.send_batch(batch, topic, partition=partition)


async def _read(
    consumer: AIOKafkaConsumer, place: TopicPartition, letters: Sequence[Seen]
) -> AsyncIterator[list[ConsumerRecord]]:
    """Yield the records of letters, a few at a time; where some were deleted meanwhile, those that are still there."""
    wanted, last = {letter.offset for letter in letters}, letters[-1].offset
    consumer.assign([place])
    consumer.seek(place, letters[0].offset)
    few: list[ConsumerRecord] = []
    size = 0
    while await consumer.position(place) <= last:
        for record in (await consumer.getmany(place, timeout_ms=1000)).get(place, []):
            if record.offset not in wanted:
                continue
            few.append(record)
            size += size_of(record.key, record.value, [*record.headers])
            if len(few) == FEW or size >= FEW_BYTES:
                yield few
                few, size = [], 0
    if few:
        yield few


def _seen(record: ConsumerRecord) -> Seen:
    headers: Mapping[str, bytes | None] = dict(record.headers)
    reason, parent = ((headers.get(name) or b"").decode(errors="backslashreplace") for name in (f"{PREFIX}reason", REPLAYED))
    return Seen(record.partition, record.offset, record.timestamp, reason, record.value is None, parent)


def _by_reason(seen: Sequence[Seen], partition: int) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for letter in seen:
        if letter.partition == partition:
            found.setdefault(letter.reason, []).append(letter.offset)
    return found
