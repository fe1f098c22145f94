"""Who holds the people's clock, found in the log of people, also where a partition fell silent long ago."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from stream.domain.log import Tick, encode
from stream.ops.clock import Clock, ClockReader

PEOPLE = TopicPartition("people", 0)


class Log:
    """A consumer of one partition that lies in memory."""

    def __init__(self, ticks: Sequence[Tick], every_ms: int = 100) -> None:
        self._records = [
            SimpleNamespace(offset=n, value=encode(tick), timestamp=n * every_ms) for n, tick in enumerate(ticks)
        ]  # fmt: skip
        self._at, self.read = 0, 0

    def assign(self, _places: object) -> None:
        """Take the partition."""

    def seek(self, _place: object, offset: int) -> None:
        self._at = offset

    async def position(self, _place: object) -> int:
        return self._at

    async def getmany(self, place: Any, **_: Any) -> dict[Any, list[Any]]:
        found = self._records[self._at : self._at + 500]
        self._at += len(found)
        self.read += len(found)
        return {place: found}

    async def stop(self) -> None:
        """Hang up."""


async def held(log: Log, partitions: int, end: int) -> Clock:
    return await ClockReader(log, PEOPLE, partitions).read(0, end)


async def test_an_empty_log_has_no_clock() -> None:
    assert await held(Log([]), 2, 0) == Clock()


@pytest.mark.parametrize("died_at", [0, 1, 200, 5_000, 77_000, 99_000])
async def test_a_partition_that_fell_silent_holds_it_since_then(died_at: int) -> None:
    ticks = [Tick(n % 2 if n <= died_at else 0, 1_000_000 + n * 100) for n in range(100_000)]
    last = max((n for n in range(died_at + 1) if n % 2 == 1), default=None)
    log = Log(ticks)
    clock = await held(log, 2, len(ticks))
    assert clock.partition == 1
    if last is None:
        assert clock.seconds is None, "nothing was ever heard of it"
    else:
        assert clock.seconds is not None
        assert clock.since_ms in {last * 100, (last + 1) * 100}
    assert log.read < 70_000, "the log is not read from its beginning"


async def test_what_was_found_once_is_not_looked_for_again() -> None:
    ticks = [Tick(n % 2 if n < 100 else 0, n * 100) for n in range(60_000)]
    log = Log(ticks)
    reader = ClockReader(log, PEOPLE, 2)
    first = await reader.read(0, len(ticks))
    read = log.read
    again = await reader.read(0, len(ticks))
    assert (first.partition, first.since_ms) == (again.partition, again.since_ms)
    assert log.read - read <= 1_000, "only the tail"


async def test_a_partition_that_ticks_and_stands_holds_it_since_the_others_passed() -> None:
    ticks = [Tick(n % 2, n * 100 if n % 2 or n < 60_000 else 60_000 * 100) for n in range(62_000)]
    clock = await held(Log(ticks), 2, len(ticks))
    assert (clock.partition, clock.since_ms) == (0, 60_001 * 100)


async def test_what_stands_for_longer_than_is_looked_through_is_not_dated_but_stays_dated_once_it_was() -> None:
    ticks = [Tick(n % 2, n * 100 if n % 2 or n < 100 else 100 * 100) for n in range(60_000)]
    log = Log(ticks)
    assert (await held(log, 2, len(ticks))).since_ms is None
    reader = ClockReader(log, PEOPLE, 2)
    assert (await reader.read(0, 1_000)).since_ms == 101 * 100
    assert (await reader.read(0, len(ticks))).since_ms == 101 * 100
