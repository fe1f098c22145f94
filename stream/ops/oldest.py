"""Reads the first record behind a commit, or sees that there is none: offsets are no records."""

import time
from collections.abc import Awaitable, Callable, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from stream.ops.reader import Unread

ANSWER_S = 5.0
"""How long the partitions are waited for."""


async def first_records(
    connect: Callable[[], Awaitable[AIOKafkaConsumer]],
    starts: Mapping[TopicPartition, int],
    ends: dict[TopicPartition, int],
) -> dict[TopicPartition, Unread]:
    """Return what lies at or behind each offset, where that could be read; `ends` grows where the answers know better."""
    consumer = await connect()
    try:
        return await _read(consumer, starts, ends)
    except KafkaError:
        return {}  # it may be told how far a group is, not what it reads
    finally:
        await consumer.stop()


async def _read(
    consumer: AIOKafkaConsumer, starts: Mapping[TopicPartition, int], ends: dict[TopicPartition, int]
) -> dict[TopicPartition, Unread]:
    found: dict[TopicPartition, Unread] = {}
    waiting, asked = set(starts), int(time.time() * 1000)
    consumer.assign(list(starts))
    for tp, offset in starts.items():
        consumer.seek(tp, offset)
    deadline = time.monotonic() + ANSWER_S
    while waiting and time.monotonic() < deadline:
        for tp, records in (await consumer.getmany(*waiting, timeout_ms=50)).items():
            gaps = records[-1].offset - records[0].offset >= len(records)
            found.setdefault(tp, Unread(starts[tp], ends[tp], asked, records[0].offset, records[0].timestamp, gaps))
        for tp in list(waiting):
            highwater = consumer.highwater(tp)
            if highwater is None:
                continue
            ends[tp] = max(ends[tp], highwater)
            if tp in found:
                waiting.discard(tp)
            elif await consumer.position(tp) >= ends[tp]:
                found[tp] = Unread(starts[tp], ends[tp], asked, None)
                waiting.discard(tp)
    return found


async def nothing_committed(
    connect: Callable[[], Awaitable[AIOKafkaConsumer]],
    starts: Mapping[TopicPartition, int],
    stable: Mapping[TopicPartition, int],
) -> set[TopicPartition]:
    """Return the partitions that have nothing from an offset to their stable end: open transactions, ended in vain, marks.

    Args:
        connect: makes a consumer that reads what is committed only.
    """
    nothing = {tp for tp, start in starts.items() if start >= stable[tp]}
    if len(nothing) == len(starts):
        return nothing
    consumer = await connect()
    try:
        return nothing | await _without_records(consumer, {tp: at for tp, at in starts.items() if tp not in nothing}, stable)
    except KafkaError:
        return nothing
    finally:
        await consumer.stop()


async def _without_records(
    consumer: AIOKafkaConsumer, starts: Mapping[TopicPartition, int], stable: Mapping[TopicPartition, int]
) -> set[TopicPartition]:
    waiting, nothing = set(starts), set[TopicPartition]()
    consumer.assign(list(starts))
    for tp, offset in starts.items():
        consumer.seek(tp, offset)
    deadline = time.monotonic() + ANSWER_S
    while waiting and time.monotonic() < deadline:
        waiting -= {tp for tp, records in (await consumer.getmany(*waiting, timeout_ms=50)).items() if records}
        nothing |= {tp for tp in waiting if await consumer.position(tp) >= stable[tp]}
        waiting -= nothing
    return nothing
