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
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError

from stream.errors import UnreachableError
from stream.ops import group
from stream.ops.aside import Aside
from stream.ops.clock import Clock, ClockReader
from stream.ops.commits import CommitLog
from stream.ops.evaluator import Status, stops_at
from stream.ops.inquiry import Inquiry, Then
from stream.ops.inventory import Inventory
from stream.ops.judging import cut, held_up, judge
from stream.ops.lag import GroupLag, Lag, Report
from stream.ops.leaders import NO_ANSWER, Leaders
from stream.ops.reader import Known, Read, Reader
from stream.runtime.checksums import check_fast
from stream.runtime.hangup import hangs_up
from stream.runtime.settled import COMMITS
from stream.settings import PREFIX, Settings

log = logging.getLogger(__name__)
CONNECT_S = 10.0
PATIENCE_S, HEAR_S = 20.0, 6.0
"""How long a measurement may take, and of it to hear of commits."""
CLOCK_S, INVENTORY_S = 4.0, 20.0
"""How often it is asked who holds the clock, and what there is: topics, where they begin, groups."""
REQUEST_MS = 5_000
"""How long one request may take: a broker that is frozen is asked no more, and its successor is looked for."""
FETCH_BYTES = 64 * 1024
LONG_POLL_MS = 500
"""How long a broker waits for commits before it says that there are none."""
ON_ITS_WAY_MS = 300
"""So long a commit may take until it is heard of."""
COMMIT_MS = 1_000
"""A worker commits at most so long after the last record."""


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
        self._admin = hangs_up(AIOKafkaAdminClient(**settings.client(), request_timeout_ms=REQUEST_MS))
        self._leaders = Leaders(self._admin, self._connect)
        self._stable = Leaders(self._admin, self._connect_committed)
        self._commit_log = CommitLog(partial(self._connect, LONG_POLL_MS))
        self._hears_at = float("-inf")
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
        for leaders in (self._leaders, self._stable):
            await leaders.close()
        await self._admin.close()

    async def measure(self) -> Report:
        """Return the lag of every partition as of now; of those that Kafka does not tell of, that it is not known."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._measure()
        except TimeoutError as error:
            raise self._unreachable() from error

    async def _measure(self) -> Report:
        self._there, first = await self._inventory.newest()
        there, app = self._there, self._settings.app
        self._first |= first
        if step_ms := self._known.setting.step_ms():
            log.warning("the clock was set by %d ms", step_ms)
            self._known.shift(step_ms)
        now = int(time.time() * 1000)  # what is heard of from here on may be newer, never older
        await self._hear_commits()
        asked = asyncio.gather(*map(there.committed, there.groups))
        answers, members = await asyncio.gather(asked, group.members(self._admin, app))
        committed = dict(zip(there.groups, answers, strict=True))
        places = {(name, tp): at for name, said in committed.items() for tp, at in self._read_by(name, said).items()}
        await self._hear_ends()
        readers = {
            (name, tp): self._reader((name, tp)) for name, tp in places if committed[name] is not None and tp in self._ends
        }
        inquiry = Inquiry(self._leaders, self._stable, self._connect, self._connect_committed, readers, self._ends, app, members)
        await self._note_ends(inquiry, places)
        for (name, tp), reader in readers.items():
            self._known.ends[tp].has_gaps |= tp.topic in there.compacted
            reader.looked(places[name, tp], self._first[tp], self._ends[tp], now)
        await inquiry.ask(now, timed=not there.embedded)
        then = {} if there.embedded else await inquiry.ends_then(now)
        told, dues_ms = defaultdict[str, list[Lag]](list), [inf]
        for (name, tp), at in places.items():
            if (name, tp) not in readers:
                told[name].append(self._unknown(name, tp, at))
                continue
            reader = readers[name, tp]
            window = reader.window(partial(self._end_at, tp, then), inquiry.members_of(name))
            lag = held_up(judge(tp, at, reader.start, window, now), reader)
            if reader.is_cut(now) and not there.embedded:
                lag = cut(lag, is_ours=name == app)
            told[name].append(replace(lag, end=self._ends[tp]))
            if reader.is_behind and lag.status != Status.STOP and not reader.is_held:
                dues_ms.append(stops_at(window))
        others = [GroupLag(name, told[name]) for name in there.groups[1:] if told[name]]
        return Report(told[app], await self._clock.newest(), others, there.copies, min(dues_ms))

    def _unknown(self, name: str, tp: TopicPartition, committed: int | None) -> Lag:
        if tp in self._ends:
            return Lag.unknown(tp, None, self._ends[tp], f"the broker that keeps what {name} has committed does not answer")
        return Lag.unknown(tp, committed, None, self._leaders.silent.get(tp, NO_ANSWER))

    def _read_by(self, name: str, told: Mapping[TopicPartition, int] | None) -> dict[TopicPartition, int | None]:
        """Return what a group reads with what it has committed there; where nobody tells that, what it read before."""
        before = [tp for group_, tp in self._known.readers if group_ == name and tp in self._there.places]
        reads = list(before if told is None else told)
        if name == self._settings.app:
            reads = self._there.read_by_us(reads)
        return {tp: (told or {}).get(tp) for tp in reads}

    async def _hear_ends(self) -> None:
        """Ask where logs end, and begin: what has no answer is left out; raises TimeoutError where nobody answers who should."""
        ends = await self._leaders.ends(self._there.places)
        if not ends and NO_ANSWER in self._leaders.silent.values():
            raise TimeoutError
        self._first |= await self._leaders.begins([tp for tp in ends if tp not in self._first])
        self._ends = {tp: end for tp, end in ends.items() if tp in self._first}

    async def _look_around(self) -> tuple[Inventory, dict[TopicPartition, int]]:
        there = Inventory(self._settings, self._admin)
        await there.refresh()
        self._leaders.lost(there.leaderless & set(there.places))
        return there, await self._leaders.begins(there.places)

    async def _hear_commits(self) -> None:
        if not self._there.commit_partitions or time.monotonic() < self._hears_at:
            return
        topics = {tp.topic for tp in self._there.places}
        news = self._commit_log.news(self._there.groups, self._there.commit_partitions, self._there.leaderless)
        try:
            async with asyncio.timeout(HEAR_S):
                async for commit in news:
                    name, topic, partition = commit.place
                    if name in self._there.groups and topic in topics:
                        after_ms = self._known.heard_ms - ON_ITS_WAY_MS if self._commit_log.is_caught_up else 0
                        self._reader((name, TopicPartition(topic, partition))).heard(commit, after_ms, int(time.time() * 1000))
            self._known.heard_ms = int(time.time() * 1000)
        except (TimeoutError, KafkaError) as error:
            log.info("%s cannot be read, commits are noticed by looking: %r", COMMITS, error)
            self._hears_at = inf if isinstance(error, TopicAuthorizationFailedError) else time.monotonic() + INVENTORY_S

    def _reader(self, read: Read) -> Reader:
        name, tp = read
        known = self._known.readers.get(read)
        if known is None:
            interval = COMMIT_MS if name == self._settings.app else None
            known = self._known.readers[read] = Reader((name, *tp), self._known.ends[tp], interval)
        return known

    async def _note_ends(self, inquiry: Inquiry, places: Mapping[Read, int | None]) -> None:
        """Remember the ends.

        Asked for its end, the embedded broker names the first record of the last batch; fetch answers know better.
        """
        if self._there.embedded:
            starts = {read: max(self._first[read[1]], places[read] or 0) for read in inquiry.readers}
            await inquiry.read_behind(starts)
        now = int(time.time() * 1000)
        for tp, end in self._ends.items():
            self._known.ends[tp].note(end, now)

    def _end_at(self, tp: TopicPartition, then: Then, at_ms: int) -> int | None:
        return then.get((tp, at_ms), self._known.ends[tp].end_at(at_ms))

    async def _read_clock(self) -> Clock:
        people = TopicPartition(self._settings.topic("people"), 0)
        if people not in self._ends:
            return Clock()
        if self._clock_reader is None:
            partitions = sum(tp.topic == self._settings.topic("events") for tp in self._there.places)
            self._clock_reader = ClockReader(await self._connect(), people, partitions)
        return await self._clock_reader.read(self._first[people], self._ends[people])

    async def _connect_committed(self) -> AIOKafkaConsumer:
        """Connect one to whom open transactions are the end."""
        return await self._connect(isolation_level="read_committed")

    async def _connect(self, wait_ms: int = 50, isolation_level: str = "read_uncommitted") -> AIOKafkaConsumer:
        """Connect a consumer, to be assigned once: aiokafka may never stop one that was just assigned anew."""
        how = {"fetch_max_wait_ms": wait_ms, "max_partition_fetch_bytes": FETCH_BYTES, "isolation_level": isolation_level}
        how |= {"request_timeout_ms": REQUEST_MS}
        check_fast()
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
