"""When each group committed, also before anybody looked: Kafka's own log of all commits, `__consumer_offsets`."""

import struct
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass, field, replace

from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.ops.evaluator import LENGTH, SPAN_MS, Sample
from stream.runtime.settled import COMMITS

RECENT_MS = 2 * SPAN_MS
MOST = 20_000
"""Records of a partition that are looked through at a start: what a large cluster commits in a moment."""
CATCH_UP_S = 3.0
APART_MS = 1_000
Place = tuple[str, str, int]
"""Group, topic, partition."""


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit of a group: the next offset it reads, and when (ms)."""

    place: Place
    offset: int
    at_ms: int


def read(key: bytes | None, value: bytes | None, at_ms: int) -> Commit | None:
    """Return the commit that a record of the topic is; None: it is something else, or a deletion.

    Source: Kafka's `OffsetCommitKey.json`, `OffsetCommitValue.json`; what follows the offset differs from version to version.
    """
    try:
        if key is None or value is None or struct.unpack_from(">h", key)[0] not in {0, 1}:
            return None
        group, position = _text(key, 2)
        topic, position = _text(key, position)
        (partition,) = struct.unpack_from(">i", key, position)
        (offset,) = struct.unpack_from(">q", value, 2)
    except (struct.error, UnicodeDecodeError):
        return None
    return Commit((group, topic, partition), offset, at_ms)


def _text(data: bytes, position: int) -> tuple[str, int]:
    (length,) = struct.unpack_from(">h", data, position)
    return data[position + 2 : position + 2 + length].decode(), position + 2 + length


def partition_of(group: str, partitions: int) -> int:
    """Return where a group's commits are: Java's hash of its name, without its sign (`Utils.abs` of Kafka).

    >>> partition_of("console-consumer", 50), partition_of("", 50)
    (40, 0)
    """
    units, value = group.encode("utf-16-be"), 0
    for index in range(0, len(units), 2):
        value = (31 * value + int.from_bytes(units[index : index + 2], "big")) & 0xFFFFFFFF
    signed = value - (1 << 32) if value >> 31 else value
    return 0 if signed == -(1 << 31) else abs(signed) % partitions


@dataclass(slots=True)
class Ring:
    """The last commits of a group at a partition, as many as a window takes."""

    commits: deque[Commit] = field(default_factory=deque)

    def note(self, commit: Commit) -> None:
        """Add a commit; one that follows closely takes the place of the last, unless it goes back."""
        ring = self.commits
        if ring and commit.at_ms < ring[-1].at_ms:
            return  # heard of by looking
        if len(ring) > 1 and commit.at_ms - ring[-2].at_ms < APART_MS and commit.offset >= ring[-1].offset:
            ring.pop()
        ring.append(commit)
        while len(ring) > LENGTH or (len(ring) > 1 and ring[1].at_ms < commit.at_ms - SPAN_MS):
            ring.popleft()

    def looked(self, place: Place, offset: int, at_ms: int) -> None:
        """Hear that the group stands at an offset, which is a commit unless it was heard of."""
        if not self.commits or self.commits[-1].offset != offset:
            self.note(Commit(place, offset, at_ms))

    def shift(self, step_ms: int) -> None:
        """Hear that the clock was set."""
        self.commits = deque(replace(commit, at_ms=commit.at_ms + step_ms) for commit in self.commits)

    def samples(self, end_at: Callable[[int], int | None]) -> list[Sample]:
        """Return the commits with the log's end at their moments."""
        return [Sample(commit.offset, commit.at_ms, end_at(commit.at_ms)) for commit in self.commits]


class CommitLog:
    """Follows the partitions of the topic that hold some groups, and reads what was committed a moment before.

    Args:
        connect: makes a consumer, started; aiokafka may never stop one that was assigned anew.
    """

    def __init__(self, connect: Callable[[], Awaitable[AIOKafkaConsumer]]) -> None:
        self._connect = connect
        self._consumer: AIOKafkaConsumer | None = None
        self._places: list[TopicPartition] = []
        self._ends: dict[TopicPartition, int] = {}

    async def news(
        self, groups: Collection[str], partitions: int, without: Collection[TopicPartition] = ()
    ) -> AsyncIterator[Commit]:  # fmt: skip
        """Yield the commits since the last call; at first, of the last minute and a half; `without` cannot be read."""
        places = sorted({TopicPartition(COMMITS, partition_of(group, partitions)) for group in groups} - set(without))
        if places != self._places:
            await self._follow(places)
        deadline = time.monotonic() + CATCH_UP_S
        while self._consumer is not None:
            answers = await self._consumer.getmany(timeout_ms=50 if self._ends else 0)
            for commit in (read(one.key, one.value, one.timestamp) for records in answers.values() for one in records):
                if commit is not None:
                    yield commit
            for place in [place for place, end in self._ends.items() if await self._consumer.position(place) >= end]:
                del self._ends[place]
            if (not answers and not self._ends) or time.monotonic() > deadline:
                break

    async def _follow(self, places: list[TopicPartition]) -> None:
        await self.close()
        consumer = self._consumer = await self._connect()
        recent = await consumer.offsets_for_times(dict.fromkeys(places, int(time.time() * 1000) - RECENT_MS))
        self._ends = await consumer.end_offsets(places)
        consumer.assign(places)
        for place in places:
            found = recent.get(place)
            consumer.seek(place, max(self._ends[place] - MOST, found.offset if found else self._ends[place]))
        self._places = places

    @property
    def is_caught_up(self) -> bool:
        """Whether what comes now was committed now, and not before anybody listened."""
        return not self._ends

    async def close(self) -> None:
        """Hang up."""
        consumer, self._consumer, self._places, self._ends = self._consumer, None, [], {}
        if consumer is not None:
            await consumer.stop()
