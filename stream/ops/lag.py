"""How far the group is behind, asked of Kafka itself: works whether a worker lives or not."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from stream.domain.log import Tick, Unreadable, decode
from stream.errors import UnreachableError, UsageError
from stream.ops import group
from stream.settings import PREFIX, Settings

ALLOWED_S = 10.0
"""A partition whose oldest unread record is younger is well."""
ANSWER_S = 5.0
"""How long the partitions are waited for."""
TAILS = (200, 4_000, 40_000)
"""How many of the newest records of `people` are looked through for ticks, until each partition has one."""
CONNECT_S = 10.0
PATIENCE_S = 20.0
"""How long a measurement may take."""
FETCH_BYTES = 64 * 1024
SOURCES = ("events", "wakes", "people")


@dataclass(frozen=True, slots=True)
class Lag:
    """One partition: `committed` None: nothing yet; `end` is the next offset to be written; `seconds` the age of the
    oldest record behind the commit, None where it could not be read.
    """  # noqa: D205 -- one thought

    topic: str
    partition: int
    committed: int | None
    end: int
    records: int
    seconds: float | None
    status: str


@dataclass(frozen=True, slots=True)
class Clock:
    """Which partition of `events` holds the people's clock, and how far it is behind; None: not known."""

    partition: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """All partitions, and the clock."""

    lags: Sequence[Lag] = ()
    clock: Clock = field(default_factory=Clock)

    def document(self) -> dict[str, Any]:
        """Return the report as `/v1/lag` and `lag --json` tell it."""
        return {
            "partitions": [
                {
                    "topic": lag.topic,
                    "partition": lag.partition,
                    "status": lag.status,
                    "committed": lag.committed,
                    "end": lag.end,
                    "lag": lag.records,
                    "lagSeconds": lag.seconds,
                }
                for lag in self.lags
            ],
            "clockPartition": self.clock.partition,
            "clockLagSeconds": self.clock.seconds,
        }


def status(records: int, seconds: float | None, members: int | None) -> str:
    """Return OK; STOP (something to read and nobody in the group); WARN (behind, or not known how far).

    >>> status(0, 0.0, 0), status(5, 2.0, 1), status(5, 60.0, 1), status(5, 2.0, 0)
    ('OK', 'OK', 'WARN', 'STOP')
    """
    if records == 0:
        return "OK"
    if members == 0:
        return "STOP"
    return "OK" if seconds is not None and seconds <= ALLOWED_S else "WARN"


def lag_of(
    tp: TopicPartition, first: int, end: int, committed: int | None, oldest_ms: int | None, now_ms: int, members: int | None
) -> Lag:  # fmt: skip
    """Judge one partition by its bounds, the commit and the Kafka timestamp of the oldest record behind it."""
    records = max(0, end - max(first, committed if committed is not None else first))
    seconds = 0.0 if records == 0 else None if oldest_ms is None else max(0.0, (now_ms - oldest_ms) / 1000)
    return Lag(tp.topic, tp.partition, committed, end, records, seconds, status(records, seconds, members))


def clock_of(ticks: dict[int, int], partitions: int, now_ms: int) -> Clock:
    """Return who holds the clock: a partition without a tick, else the one whose newest tick is the smallest.

    >>> clock_of({0: 9_000, 1: 4_000}, 2, 10_000), clock_of({0: 9_000}, 2, 10_000)
    (Clock(partition=1, seconds=6.0), Clock(partition=1, seconds=None))
    """
    if not ticks:
        return Clock()
    silent = next((n for n in range(partitions) if n not in ticks), None)
    if silent is not None:
        return Clock(silent)
    holder = min(ticks, key=lambda n: (ticks[n], n))
    return Clock(holder, max(0.0, (now_ms - ticks[holder]) / 1000))


def newest_ticks(records: Iterable[ConsumerRecord]) -> dict[int, int]:
    """Return the newest tick of each partition among records of `people`."""
    ticks: dict[int, int] = {}
    for record in records:
        try:
            told = decode(record.value or b"")
        except Unreadable:
            continue  # a newer release's: not ours to judge
        if isinstance(told, Tick):
            ticks[told.partition] = told.until
    return ticks


class LagMeter:
    """Measures as often as asked; `async with` connects and hangs up.

    Raises:
        UnreachableError: Kafka does not answer.
        UsageError: the topics are not there.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topics = tuple(settings.topic_prefix + name for name in SOURCES)
        self._admin = AIOKafkaAdminClient(**settings.client())

    async def __aenter__(self) -> Self:
        try:
            await asyncio.wait_for(self._admin.start(), CONNECT_S)
        except (KafkaError, OSError, TimeoutError) as error:
            await self._admin.close()
            raise self._unreachable() from error
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._admin.close()

    async def measure(self) -> Report:
        """Return the lag of every partition as of now."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._measure()
        except TimeoutError as error:
            raise self._unreachable() from error

    async def _measure(self) -> Report:
        places = await self._places()
        commits = await group.commits(self._admin, self._settings.app, places)
        committed = {tp: at.offset for tp, at in commits.items()}
        members = await group.members(self._admin, self._settings.app)
        async with self._reading() as consumer:
            first = await consumer.beginning_offsets(places)
            ends = await consumer.end_offsets(places)
            oldest = await _oldest(consumer, {tp: max(first[tp], committed.get(tp, 0)) for tp in places}, ends)
        now_ms = int(time.time() * 1000)
        lags = [lag_of(tp, first[tp], ends[tp], committed.get(tp), oldest.get(tp), now_ms, members) for tp in places]
        return Report(lags, await self._clock(places, first, ends))

    def _unreachable(self) -> UnreachableError:
        where = ",".join(self._settings.kafka)
        return UnreachableError(f"Kafka does not answer at {where}: start it, or set {PREFIX}KAFKA=host:port")

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AIOKafkaConsumer]:
        """Connect a consumer, to be assigned once: aiokafka may never stop one that was just assigned anew."""
        consumer = AIOKafkaConsumer(
            **self._settings.client(), auto_offset_reset="earliest", fetch_max_wait_ms=50, max_partition_fetch_bytes=FETCH_BYTES
        )
        try:
            await consumer.start()
            await asyncio.sleep(0)  # aiokafka cannot stop tasks that have not begun
            yield consumer
        finally:
            await consumer.stop()

    async def _places(self) -> list[TopicPartition]:
        present = set(await self._admin.list_topics())
        missing = [name for name in self._topics if name not in present]
        if missing:
            raise UsageError(f"topic {missing[0]} does not exist: run `leadstream topics`, or set {PREFIX}TOPIC_PREFIX")
        return await group.partitions(self._admin, self._topics)

    async def _clock(
        self, places: list[TopicPartition], first: dict[TopicPartition, int], ends: dict[TopicPartition, int]
    ) -> Clock:
        partitions = sum(tp.topic == self._topics[0] for tp in places)
        people = next(tp for tp in places if tp.topic == self._topics[2])
        ticks: dict[int, int] = {}
        if first[people] == ends[people]:
            return Clock()
        async with self._reading() as consumer:
            consumer.assign([people])
            for length in TAILS:
                start = max(first[people], ends[people] - length)
                ticks = newest_ticks(await _read(consumer, people, start, ends[people]))
                if len(ticks) == partitions or start == first[people]:
                    break
        return clock_of(ticks, partitions, int(time.time() * 1000))


async def _oldest(
    consumer: AIOKafkaConsumer, starts: dict[TopicPartition, int], ends: dict[TopicPartition, int]
) -> dict[TopicPartition, int]:
    """Return the Kafka timestamp of the first record behind each commit; `ends` grows where fetch answers know better.

    Asked for its end, the embedded broker names the first record of the last batch; what comes with records is right.
    """
    oldest: dict[TopicPartition, int] = {}
    waiting = set(starts)
    consumer.assign(list(starts))
    for tp, offset in starts.items():
        consumer.seek(tp, offset)
    deadline = time.monotonic() + ANSWER_S
    while waiting and time.monotonic() < deadline:
        for tp, records in (await consumer.getmany(*waiting, timeout_ms=50)).items():
            oldest[tp] = records[0].timestamp
        for tp, highwater in [(tp, consumer.highwater(tp)) for tp in waiting]:
            if highwater is not None:
                ends[tp] = max(ends[tp], highwater)
                if tp in oldest or ends[tp] <= starts[tp]:
                    waiting.discard(tp)
    return oldest


async def _read(consumer: AIOKafkaConsumer, tp: TopicPartition, start: int, end: int) -> list[ConsumerRecord]:
    records: list[ConsumerRecord] = []
    consumer.seek(tp, start)
    deadline = time.monotonic() + ANSWER_S
    while await consumer.position(tp) < end and time.monotonic() < deadline:
        records += (await consumer.getmany(tp, timeout_ms=200)).get(tp, [])
    return records
