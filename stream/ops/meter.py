"""Measures lag, asking Kafka itself: works whether a worker lives or not, and knows more the longer it looks."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from math import inf
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from stream.errors import UnreachableError
from stream.ops import commits, group
from stream.ops.aside import Aside
from stream.ops.clock import Clock, ClockReader
from stream.ops.commits import CommitLog
from stream.ops.evaluator import ALLOWED_MS, Status, Window, completeness, evaluate, stops_at
from stream.ops.inventory import Inventory
from stream.ops.lag import GroupLag, Lag, Report
from stream.ops.oldest import first_records
from stream.ops.reader import Known, Read, Reader
from stream.runtime.hangup import hangs_up
from stream.settings import PREFIX, Settings

log = logging.getLogger(__name__)
CONNECT_S = 10.0
PATIENCE_S = 20.0
"""How long a measurement may take."""
CLOCK_S, INVENTORY_S = 4.0, 20.0
"""How often it is asked who holds the clock, and what there is: topics, where they begin, groups."""
FETCH_BYTES = 64 * 1024
LONG_POLL_MS = 500
"""How long a broker waits for commits before it says that there are none."""
COMMIT_MS = 1_000
"""A worker commits at most so long after the last record."""


def judge(tp: TopicPartition, committed: int | None, start: int, window: Window, now_ms: float) -> Lag:
    """Judge one partition: where its group has committed and would go on, and what is known beside."""
    records = max(0, window.end - start)
    seconds = 0.0 if records == 0 else None
    if records and window.waiting_ms is not None:
        seconds = max(0.0, (now_ms - window.waiting_ms) / 1000)
    return Lag(tp.topic, tp.partition, committed, window.end, records, seconds, evaluate(window, now_ms), completeness(window))


class LagMeter:
    """Measures as often as asked; `async with` connects and hangs up.

    Args:
        known: what a former one has seen.

    Raises:
        UnreachableError: Kafka does not answer.
        UsageError: the topics are not there.
    """

    def __init__(self, settings: Settings, known: Known | None = None) -> None:
        self._settings = settings
        self._admin = hangs_up(AIOKafkaAdminClient(**settings.client()))
        self._asking: AIOKafkaConsumer | None = None
        self._commit_log = CommitLog(partial(self._connect, LONG_POLL_MS))
        self._reads_commits = True
        self._clock_reader: ClockReader | None = None
        self._inventory, self._clock = Aside(self._look_around, INVENTORY_S), Aside(self._read_clock, CLOCK_S)
        self._there, self._first = Inventory(settings, self._admin), dict[TopicPartition, int]()
        self._ends: dict[TopicPartition, int] = {}
        self._known = known or Known()

    async def __aenter__(self) -> Self:
        try:
            await asyncio.wait_for(self._admin.start(), CONNECT_S)
        except (KafkaError, OSError, TimeoutError) as error:
            await self._admin.close()
            raise self._unreachable() from error
        return self

    async def __aexit__(self, *_: object) -> None:
        for aside in (self._inventory, self._clock):
            await aside.close()
        await self._commit_log.close()
        if self._clock_reader is not None:
            await self._clock_reader.close()
        if self._asking is not None:
            await self._asking.stop()
        await self._admin.close()

    async def measure(self) -> Report:
        """Return the lag of every partition as of now."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._measure()
        except TimeoutError as error:
            raise self._unreachable() from error

    async def _measure(self) -> Report:
        consumer = await self._consumer()
        self._there, self._first = await self._inventory.newest()
        there, app = self._there, self._settings.app
        now = int(time.time() * 1000)  # what is heard of from here on may be newer, never older
        await self._hear_commits()
        committed = {name: await there.committed(name) for name in there.groups}
        members = await group.members(self._admin, app)
        self._ends = ends = dict(await consumer.end_offsets(there.places))
        reads = {app: there.read_by_us(committed[app])} | {name: list(committed[name]) for name in there.groups[1:]}
        places = {(name, tp): committed[name].get(tp) for name, tps in reads.items() for tp in tps}
        await self._note_ends(places)
        readers = {read: self._reader(read) for read in places}
        for (name, tp), reader in readers.items():
            self._known.ends[tp].has_gaps |= tp.topic in there.compacted
            reader.looked(places[name, tp], self._first[tp], ends[tp], now)
        await self._ask(readers, members, now)
        then = await self._ends_then(readers, now)
        told: defaultdict[str, list[Lag]] = defaultdict(list)
        due_ms = inf
        for (name, tp), reader in readers.items():
            window = reader.window(partial(self._end_at, tp, then), members if name == app else None)
            lag = judge(tp, places[name, tp], reader.start, window, now)
            told[name].append(replace(lag, end=ends[tp]))
            due_ms = min(due_ms, stops_at(window) if reader.is_behind and lag.status != Status.STOP else inf)
        others = [GroupLag(name, told[name]) for name in there.groups[1:] if told[name]]
        return Report(told[app], await self._clock.newest(), others, there.copies, due_ms)

    async def _look_around(self) -> tuple[Inventory, dict[TopicPartition, int]]:
        there = Inventory(self._settings, self._admin)
        await there.refresh()
        return there, await (await self._consumer()).beginning_offsets(there.places)

    async def _hear_commits(self) -> None:
        if not self._there.commit_partitions or not self._reads_commits:
            return
        topics = {tp.topic for tp in self._there.places}
        try:
            async for commit in self._commit_log.news(self._there.groups, self._there.commit_partitions):
                name, topic, partition = commit.place
                if name in self._there.groups and topic in topics:
                    self._reader((name, TopicPartition(topic, partition))).ring.note(commit)
        except KafkaError as error:
            log.info("%s cannot be read, commits are noticed by looking: %r", commits.TOPIC, error)
            self._reads_commits = False

    def _reader(self, read: Read) -> Reader:
        name, tp = read
        known = self._known.readers.get(read)
        if known is None:
            interval = COMMIT_MS if name == self._settings.app else None
            known = self._known.readers[read] = Reader((name, *tp), self._known.ends[tp], interval)
        return known

    async def _note_ends(self, places: Mapping[Read, int | None]) -> None:
        """Remember the ends.

        Asked for its end, the embedded broker names the first record of the last batch; fetch answers know better.
        """
        if self._there.embedded:
            starts = {read: max(self._first[read[1]], at or 0) for read, at in places.items()}
            await self._read_behind(starts)
        now = int(time.time() * 1000)
        for tp, end in self._ends.items():
            self._known.ends[tp].note(end, now)

    async def _ask(self, readers: Mapping[Read, Reader], members: int | None, now_ms: int) -> None:
        """Ask Kafka for what neither commits nor looks tell."""
        await self._read_behind({read: reader.reads(now_ms) for read, reader in readers.items() if reader.must_read(now_ms)})
        if not self._there.embedded:
            await self._date(readers, now_ms)
        doubtful = {}
        for (name, tp), reader in readers.items():
            status = reader.status(now_ms, members if name == self._settings.app else None)
            if reader.is_doubtful(status, now_ms):
                doubtful[name, tp] = reader.reads(now_ms)
        await self._read_behind(doubtful)

    async def _read_behind(self, starts: Mapping[Read, int]) -> None:
        """Read the first record behind each of these offsets."""
        for name, topic in dict.fromkeys((name, tp.topic) for name, tp in starts):
            places = {tp: start for (group_, tp), start in starts.items() if (group_, tp.topic) == (name, topic)}
            for tp, unread in (await first_records(self._connect, places, self._ends)).items():
                self._reader((name, tp)).found(unread)

    async def _date(self, readers: Mapping[Read, Reader], now_ms: int) -> None:
        """Ask for the timestamps of records that came a moment ago, or while nobody looked."""
        consumer = await self._consumer()
        asked = {reader: at for reader in readers.values() if (at := reader.asks_from(now_ms)) is not None}
        for name in dict.fromkeys(name for name, _ in readers):
            mine = {tp: reader for (group_, tp), reader in readers.items() if group_ == name and reader in asked}
            answers = await consumer.offsets_for_times({tp: asked[reader] for tp, reader in mine.items()}) if mine else {}
            for tp, reader in mine.items():
                answer = answers.get(tp)
                reader.dated(None if answer is None else (answer.offset, answer.timestamp))

    async def _ends_then(self, readers: Mapping[Read, Reader], now_ms: int) -> dict[tuple[TopicPartition, int], int]:
        """Ask Kafka for the ends at the oldest and the newest known commit of who is behind, where they were not looked at."""
        found: dict[tuple[TopicPartition, int], int] = {}
        if self._there.embedded:
            return found
        for (_, tp), reader in readers.items():
            ring, since = reader.ring.commits, reader.since_ms
            for at in {ring[0].at_ms, ring[-1].at_ms} if since is not None and now_ms - since > ALLOWED_MS else ():
                if self._known.ends[tp].end_at(at) is None:
                    answer = (await (await self._consumer()).offsets_for_times({tp: at}))[tp]
                    found[tp, at] = answer.offset if answer else self._ends[tp]
        return found

    def _end_at(self, tp: TopicPartition, then: Mapping[tuple[TopicPartition, int], int], at_ms: int) -> int | None:
        return then.get((tp, at_ms), self._known.ends[tp].end_at(at_ms))

    async def _read_clock(self) -> Clock:
        people = TopicPartition(self._settings.topic_prefix + "people", 0)
        if self._clock_reader is None:
            partitions = sum(tp.topic == self._settings.topic_prefix + "events" for tp in self._there.places)
            self._clock_reader = ClockReader(await self._connect(), people, partitions)
        return await self._clock_reader.read(self._first[people], self._ends[people])

    async def _consumer(self) -> AIOKafkaConsumer:
        """Return the one that asks, and reads nothing."""
        self._asking = self._asking or await self._connect()
        return self._asking

    async def _connect(self, wait_ms: int = 50) -> AIOKafkaConsumer:
        """Connect a consumer, to be assigned once: aiokafka may never stop one that was just assigned anew."""
        how = {"fetch_max_wait_ms": wait_ms, "max_partition_fetch_bytes": FETCH_BYTES}
        consumer = hangs_up(AIOKafkaConsumer(**self._settings.client(), auto_offset_reset="earliest", **how))
        try:
            await consumer.start()
        except BaseException:
            await consumer.stop()
            raise
        await asyncio.sleep(0)  # aiokafka cannot stop tasks that have not begun
        return consumer

    def _unreachable(self) -> UnreachableError:
        where = ",".join(self._settings.kafka)
        return UnreachableError(f"Kafka does not answer at {where}: start it, or set {PREFIX}KAFKA=host:port")
