"""Measures lag, asking Kafka itself: works whether a worker lives or not, and knows more the longer it looks."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from stream.errors import UnreachableError
from stream.ops import commits, group
from stream.ops.clock import Clock, ClockReader
from stream.ops.commits import CommitLog, Ring
from stream.ops.evaluator import ALLOWED_MS, Window, completeness, evaluate
from stream.ops.history import LogEnds
from stream.ops.inventory import Inventory
from stream.ops.lag import GroupLag, Lag, Report
from stream.settings import PREFIX, Settings

log = logging.getLogger(__name__)
ANSWER_S = 5.0
"""How long the partitions are waited for."""
CONNECT_S = 10.0
PATIENCE_S = 20.0
"""How long a measurement may take."""
CLOCK_S = 4.0
"""How often it is asked who holds the clock."""
FETCH_BYTES = 64 * 1024
COMMIT_MS = 1_000
"""A worker commits at most so long after the last record."""
Reader = tuple[str, TopicPartition]
"""A group and what it reads."""


def judge(tp: TopicPartition, committed: int | None, start: int, window: Window, now_ms: float) -> Lag:
    """Judge one partition: where its group has committed and would go on, and what is known beside."""
    records = max(0, window.end - start)
    seconds = 0.0 if records == 0 else None
    if records and window.waiting_ms is not None:
        seconds = max(0.0, (now_ms - window.waiting_ms) / 1000)
    return Lag(tp.topic, tp.partition, committed, window.end, records, seconds, evaluate(window, now_ms), completeness(window))


class LagMeter:
    """Measures as often as asked; `async with` connects and hangs up.

    Raises:
        UnreachableError: Kafka does not answer.
        UsageError: the topics are not there.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._admin = AIOKafkaAdminClient(**settings.client())
        self._there = Inventory(settings, self._admin)
        self._asking: AIOKafkaConsumer | None = None
        self._commit_log = CommitLog(self._connect)
        self._reads_commits = True
        self._clock_reader: ClockReader | None = None
        self._clock, self._clock_at = Clock(), float("-inf")
        self._rings: defaultdict[commits.Place, Ring] = defaultdict(Ring)
        self._ends: defaultdict[TopicPartition, LogEnds] = defaultdict(LogEnds)

    async def __aenter__(self) -> Self:
        try:
            await asyncio.wait_for(self._admin.start(), CONNECT_S)
        except (KafkaError, OSError, TimeoutError) as error:
            await self._admin.close()
            raise self._unreachable() from error
        return self

    async def __aexit__(self, *_: object) -> None:
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
        self._asking = consumer = self._asking or await self._connect()
        there, app = self._there, self._settings.app
        await there.refresh()
        now = int(time.time() * 1000)  # what is heard of from here on may be newer, never older
        await self._hear_commits()
        committed = {name: await there.committed(name) for name in there.groups}
        members = await group.members(self._admin, app)
        first = await consumer.beginning_offsets(there.places)
        ends = await consumer.end_offsets(there.places)
        reads = {app: there.read_by_us(committed[app])} | {name: list(committed[name]) for name in there.groups[1:]}
        starts = {(name, tp): max(first[tp], committed[name].get(tp, 0)) for name, tps in reads.items() for tp in tps}
        waiting = await self._waiting(starts, ends)
        for (name, tp), start in starts.items():
            self._rings[name, *tp].looked((name, *tp), start, now)
        then = await self._ends_then(waiting, ends, now)
        told: defaultdict[str, list[Lag]] = defaultdict(list)
        for (name, tp), start in starts.items():
            samples = self._rings[name, *tp].samples(partial(self._end_at, tp, then))
            ours = (COMMIT_MS, members) if name == app else (None, None)
            window = Window(samples, ends[tp], waiting.get((name, tp)), *ours)
            told[name].append(judge(tp, committed[name].get(tp), start, window, now))
        others = [GroupLag(name, told[name]) for name in there.groups[1:] if told[name]]
        return Report(told[app], await self._newest_clock(first, ends), others, there.copies)

    async def _hear_commits(self) -> None:
        if not self._there.commit_partitions or not self._reads_commits:
            return
        topics = {tp.topic for tp in self._there.places}
        try:
            async for commit in self._commit_log.news(self._there.groups, self._there.commit_partitions):
                if commit.place[0] in self._there.groups and commit.place[1] in topics:
                    self._rings[commit.place].note(commit)
        except KafkaError as error:
            log.info("%s cannot be read, commits are noticed by looking: %r", commits.TOPIC, error)
            self._reads_commits = False

    async def _waiting(self, starts: Mapping[Reader, int], ends: dict[TopicPartition, int]) -> dict[Reader, float]:
        """Return since when each group's oldest unread record lies there (ms); notes the ends.

        Asked for its end, the embedded broker names the first record of the last batch; fetch answers know better.
        """
        stamps = await self._stamps(starts, ends) if self._there.embedded else {}
        now = int(time.time() * 1000)
        for tp, end in ends.items():
            self._ends[tp].note(end, now)
        unread = {(name, tp): start for (name, tp), start in starts.items() if start < ends[tp]}
        if not self._there.embedded:
            before = {reader: start for reader, start in unread.items() if self._ends[reader[1]].appended_at(start) is None}
            stamps = await self._stamps(before, ends)
        dated = {(name, tp): self._ends[tp].waits_since(at, stamps.get((name, tp))) for (name, tp), at in unread.items()}
        return {reader: since for reader, since in dated.items() if since is not None}

    async def _stamps(self, starts: Mapping[Reader, int], ends: dict[TopicPartition, int]) -> dict[Reader, float]:
        """Return the timestamp of the record at each offset; `ends` grows where the answers know better."""
        stamps: dict[Reader, float] = {}
        for name in dict.fromkeys(name for name, _ in starts):
            places = {tp: start for (group_, tp), start in starts.items() if group_ == name}
            consumer = await self._connect()
            try:
                found = await _oldest(consumer, places, ends)
            finally:
                await consumer.stop()
            stamps |= {(name, tp): at for tp, at in found.items()}
        return stamps

    async def _ends_then(
        self, waiting: Mapping[Reader, float], ends: Mapping[TopicPartition, int], now_ms: int
    ) -> dict[tuple[TopicPartition, int], int]:
        """Ask Kafka for the ends at the oldest and the newest known commit of who is behind, where they were not looked at."""
        found: dict[tuple[TopicPartition, int], int] = {}
        if self._there.embedded or self._asking is None:
            return found
        for (name, tp), since in waiting.items():
            ring = self._rings[name, *tp].commits
            for at in {ring[0].at_ms, ring[-1].at_ms} if now_ms - since > ALLOWED_MS else ():
                if self._ends[tp].end_at(at) is None:
                    answer = (await self._asking.offsets_for_times({tp: at}))[tp]
                    found[tp, at] = answer.offset if answer else ends[tp]
        return found

    def _end_at(self, tp: TopicPartition, then: Mapping[tuple[TopicPartition, int], int], at_ms: int) -> int | None:
        return then.get((tp, at_ms), self._ends[tp].end_at(at_ms))

    async def _newest_clock(self, first: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]) -> Clock:
        if time.monotonic() - self._clock_at > CLOCK_S:
            people = TopicPartition(self._settings.topic_prefix + "people", 0)
            if self._clock_reader is None:
                partitions = sum(tp.topic == self._settings.topic_prefix + "events" for tp in self._there.places)
                self._clock_reader = ClockReader(await self._connect(), people, partitions)
            self._clock = await self._clock_reader.read(first[people], ends[people])
            self._clock_at = time.monotonic()
        return self._clock

    async def _connect(self) -> AIOKafkaConsumer:
        """Connect a consumer, to be assigned once: aiokafka may never stop one that was just assigned anew."""
        consumer = AIOKafkaConsumer(
            **self._settings.client(), auto_offset_reset="earliest", fetch_max_wait_ms=50, max_partition_fetch_bytes=FETCH_BYTES
        )
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


async def _oldest(
    consumer: AIOKafkaConsumer, starts: Mapping[TopicPartition, int], ends: dict[TopicPartition, int]
) -> dict[TopicPartition, int]:
    """Return the timestamp of the first record at or behind each offset, where there is one within `ANSWER_S`."""
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
