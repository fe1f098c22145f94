"""Which partition of `events` holds the people's clock, since when, and how far it is behind; read from the log of people."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from stream.domain import instants
from stream.domain.log import Tick, Unreadable, decode

TAILS = (200, 4_000, 40_000)
"""How many of the newest records of `people` are looked through for ticks, until each partition has one."""
CHUNK = 400
"""So many records hold a tick of each partition that lives, wherever in the log."""
ANSWER_S = 5.0


@dataclass(frozen=True, slots=True)
class Clock:
    """Who holds the clock: the partition, how far behind it is (s), since when it is that one (ms); None: not known."""

    partition: int | None = None
    seconds: float | None = None
    since_ms: int | None = None

    def document(self) -> dict[str, Any]:
        """Return what `/v1/lag` tells of it."""
        since = None if self.since_ms is None else instants.write(self.since_ms)
        return {"clockPartition": self.partition, "clockLagSeconds": self.seconds, "clockSince": since}


@dataclass(frozen=True, slots=True)
class Heard:
    """A tick as it lies in the log: everything received until `until` is handed on; `at_ms` is when that was said."""

    partition: int
    until: int
    at_ms: int


def clock_of(ticks: dict[int, int], partitions: int, now_ms: int, since_ms: int | None = None) -> Clock:
    """Return who holds the clock: a partition without a tick, else the one whose newest tick is the smallest.

    >>> clock_of({0: 9_000, 1: 4_000}, 2, 10_000), clock_of({0: 9_000}, 2, 10_000)
    (Clock(partition=1, seconds=6.0, since_ms=None), Clock(partition=1, seconds=None, since_ms=None))
    """
    holder = holder_of(ticks, partitions)
    if holder is None or not ticks:
        return Clock()
    if holder not in ticks:
        return Clock(holder)
    return Clock(holder, max(0.0, (now_ms - ticks[holder]) / 1000), since_ms)


def holder_of(ticks: dict[int, int], partitions: int) -> int | None:
    """Return the partition that the clock waits for."""
    silent = next((n for n in range(partitions) if n not in ticks), None)
    return silent if silent is not None else min(ticks, key=lambda n: (ticks[n], n), default=None)


def held_since(heard: Iterable[Heard], partitions: int) -> int | None:
    """Return when the present holder became it (ms), as ticks in the order of the log tell; None: before all of them.

    >>> held_since([Heard(0, 9, 10), Heard(1, 8, 11), Heard(0, 19, 20), Heard(1, 29, 30)], 2)
    30
    """
    ticks: dict[int, int] = {}
    holder, since = None, None
    for tick in heard:
        ticks[tick.partition] = tick.until
        if len(ticks) == partitions and (now := holder_of(ticks, partitions)) != holder:
            since = None if holder is None else tick.at_ms
            holder = now
    return since


def ticks_among(records: Iterable[ConsumerRecord]) -> list[Heard]:
    """Return the ticks among records of `people`, in order."""
    heard = []
    for record in records:
        try:
            told = decode(record.value or b"")
        except Unreadable:
            continue  # a newer release's: not ours to judge
        if isinstance(told, Tick):
            heard.append(Heard(told.partition, told.until, record.timestamp))
    return heard


class ClockReader:
    """Reads the newest ticks, of a partition that fell silent long ago too.

    Args:
        consumer: started, and given to nobody else.
    """

    def __init__(self, consumer: AIOKafkaConsumer, people: TopicPartition, partitions: int) -> None:
        self._consumer, self._people, self._partitions = consumer, people, partitions
        consumer.assign([people])
        self._silent: dict[int, Heard | None] = {}
        """What was found of partitions of whom nothing new is heard."""
        self._told = Clock()

    async def read(self, first: int, end: int) -> Clock:
        """Return the clock as the log between two offsets tells it."""
        heard: list[Heard] = []
        start = end
        for length in TAILS if first < end else ():
            start = max(first, end - length)
            heard = ticks_among(await self._records(start, end))
            known = {tick.partition for tick in heard} | self._silent.keys()
            if start == first or (len(known) == self._partitions and self._since(heard) is not None):
                break
        missing = set(range(self._partitions)) - {tick.partition for tick in heard} if heard else set()
        self._silent = {n: self._silent[n] if n in self._silent else await self._last_of(n, first, start) for n in missing}
        ticks = {tick.partition: tick.until for tick in (*filter(None, self._silent.values()), *heard)}
        self._told = clock_of(ticks, self._partitions, int(time.time() * 1000), self._since(heard))
        return self._told

    def _since(self, heard: Sequence[Heard]) -> int | None:
        """Return since when the holder is it: its last tick where it is silent, else when it became so, as heard or known."""
        ticks = {tick.partition: tick.until for tick in (*filter(None, self._silent.values()), *heard)}
        holder = holder_of(ticks, self._partitions)
        if holder in self._silent:
            last = self._silent[holder]
            return None if last is None else last.at_ms
        since = held_since(heard, self._partitions)
        return self._told.since_ms if since is None and holder == self._told.partition else since

    async def close(self) -> None:
        """Hang up."""
        await self._consumer.stop()

    async def _last_of(self, partition: int, first: int, end: int) -> Heard | None:
        """Return a partition's last tick below an offset: it ticked twice a second, and from some place on no more."""
        low, high, found = first, end, None
        while low < high:
            middle = max(low, high - CHUNK) if high - low <= CHUNK else (low + high) // 2
            chunk = ticks_among(await self._records(middle, min(middle + CHUNK, high)))
            own = [tick for tick in chunk if tick.partition == partition]
            if own:
                found, low = own[-1], middle + CHUNK
            else:
                high = middle
        return found

    async def _records(self, start: int, end: int) -> list[ConsumerRecord]:
        records: list[ConsumerRecord] = []
        self._consumer.seek(self._people, start)
        deadline = time.monotonic() + ANSWER_S
        while await self._consumer.position(self._people) < end and time.monotonic() < deadline:
            records += (await self._consumer.getmany(self._people, timeout_ms=200)).get(self._people, [])
        return [record for record in records if record.offset < end]
