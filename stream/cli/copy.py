"""`leadstream copy`: what another installation received becomes the history of this one."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import click
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from schemas.event import Rejected, decode, identities, is_echo, partition_key
from schemas.event_times import happened_at, received_at
from stream.agents.erasing import ERASE, told
from stream.agents.headers import FORWARDED, HISTORY, INTERNAL, has
from stream.cli.connections import admin_client, all_sent, consumer_client, producer_client, read_to_end, require_topic, run
from stream.cli.send import told_received
from stream.domain import canary, instants
from stream.errors import UsageError
from stream.ops import group
from stream.ops.inventory import COPYING
from stream.settings import Settings, load

NOTES = "-copy"
"""The group whose commits say how far was copied."""
WAIT_MS = 1000


@click.command()
@click.option("--from", "prefix", required=True, metavar="PREFIX", help="TOPIC_PREFIX of the other one; '' for none.")
def copy(prefix: str) -> None:
    r"""Copy `events` of another installation on this Kafka into ours, as history: with other names, partitions, rules.

    Headers stay, so companies and write keys are known as they were; what has no time of its own was received when the
    record was. The other installation's own records stay behind: rulesets, canaries, what it forwarded to itself; and what people
    did who were erased there. Said again it goes on where it ended: from the commits of the group APP-copy.

    \b
    leadstream copy --from ''
    """
    settings = load()
    if prefix == settings.topic_prefix:
        raise UsageError(f"--from {prefix!r} is this installation itself: set LEADSTREAM_TOPIC_PREFIX and LEADSTREAM_APP anew")
    done = Counter[str]()
    run(_copy(settings, f"{prefix}events", done), lambda: f"{done['copied']} events copied; the same command goes on from there")
    left = f"{done['own']} records of the other installation's own and {done['erased']} events of the erased left behind"
    click.echo(f"{done['copied']} events copied, {left}")


async def _copy(settings: Settings, source: str, done: Counter[str]) -> None:
    target, name = settings.topic("events"), settings.app + NOTES
    async with AsyncExitStack() as stack:
        admin = await stack.enter_async_context(admin_client(settings))
        for topic in (source, target):
            await require_topic(admin, topic)
        places = await group.partitions(admin, [source])
        consumer = await stack.enter_async_context(consumer_client(settings, name))
        packed = producer_client(settings, compression_type="zstd")  # what is longer than Kafka takes was sent compressed, too
        producer = await stack.enter_async_context(packed)
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        erased = await _erased(await stack.enter_async_context(consumer_client(settings)), source, len(places))
        while not await _at_end(consumer, ends, name):
            chunk = [record for records in (await consumer.getmany(timeout_ms=WAIT_MS)).values() for record in records]
            ours = [record for record in chunk if not is_own(record)]
            events = [record for record in ours if not is_erased(record, erased, settings.phone_region)]
            await _send(producer, target, sorted(events, key=lambda record: record.timestamp), settings)
            if chunk:
                async with group.answering(name):
                    await consumer.commit({place: (await consumer.position(place), COPYING) for place in places})
            done.update(copied=len(events), own=len(chunk) - len(ours), erased=len(ours) - len(events))


async def _at_end(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int], name: str) -> bool:
    async with group.answering(name):  # the first positions are what it committed
        return all([await consumer.position(place) >= end for place, end in ends.items()])


def is_own(record: ConsumerRecord) -> bool:
    """Tell whether a record is the other installation's own: a ruleset, a forwarded copy, a canary."""
    if has(record.headers, INTERNAL) or has(record.headers, FORWARDED):
        return True
    if record.key is None or canary.seen(record.key.decode(errors="replace")) is None:
        return False
    raw = decode(record.value)
    return not isinstance(raw, Rejected) and is_echo(raw)


@dataclass
class Erasure:
    """The newest erasure of somebody: its instant (ms), and where its record stands in each partition."""

    r: int = 0
    offsets: dict[int, int] = field(default_factory=dict)


async def _erased(consumer: AIOKafkaConsumer, topic: str, partitions: int) -> dict[str, Erasure]:
    """Return who was erased."""
    erased: dict[str, Erasure] = defaultdict(Erasure)
    async for record in read_to_end(consumer, topic, partitions):
        said = told(record.value) if ERASE in record.headers else None
        for node in said.nodes if said is not None else ():
            known = erased[node]
            known.r = max(known.r, 0 if said is None else said.r)
            known.offsets[record.partition] = record.offset
    return dict(erased)


def is_erased(record: ConsumerRecord, erased: Mapping[str, Erasure], phone_region: str | None) -> bool:
    """Tell whether an event is about somebody erased later, under whichever of its identities.

    It stands before the erasure, whose instant, the people's clock, may be some seconds earlier; or is from before that.
    """
    raw = decode(record.value)
    if isinstance(raw, Rejected):
        return False
    met = [erased[node] for node in identities(raw, phone_region) if node in erased]
    if not met or any(record.offset < one.offsets.get(record.partition, 0) for one in met):
        return bool(met)
    try:
        return happened_at(raw, received_at(raw, record.timestamp)) < max(one.r for one in met)
    except instants.BadInstant:
        return True


async def _send(producer: AIOKafkaProducer, topic: str, events: list[ConsumerRecord], settings: Settings) -> None:
    """Send a chunk and wait until Kafka has it."""

    async def put(record: ConsumerRecord) -> Any:
        value = as_received(record.value, record.timestamp)
        key = None if value is None else partition_key(value, settings.phone_region)
        headers = [*(one for one in record.headers if one[0] != HISTORY), (HISTORY, b"1")]
        return await producer.send(topic, value, key=None if key is None else key.encode(), headers=headers)

    await asyncio.gather(*await all_sent(put(record) for record in events))


def as_received(value: bytes | None, timestamp_ms: int) -> bytes | None:
    """Return an event that says when it was received; what is or would be a dead letter stays as it is.

    >>> as_received(b'{"type":"page","anonymousId":"a"}', 1_764_000_000_000)
    b'{"type":"page","anonymousId":"a","receivedAt":"2025-11-24T16:00:00.000Z"}'
    """
    raw = decode(value)
    if value is None or isinstance(raw, Rejected) or raw.received_at is not None:
        return value
    return told_received(value, timestamp_ms)
