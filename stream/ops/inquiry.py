"""What looks and commits leave open about readers, asked of Kafka: since when something lies there, and whether anything does."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.ops.evaluator import ALLOWED_MS, Status
from stream.ops.leaders import Leaders
from stream.ops.oldest import first_records, nothing_committed
from stream.ops.reader import Read, Reader

Connect = Callable[[], Awaitable[AIOKafkaConsumer]]
Then = Mapping[tuple[TopicPartition, int], int]
"""Ends of partitions at moments (ms)."""


@dataclass(frozen=True, slots=True)
class Inquiry:
    """One look's questions.

    `stable` are leaders that take an open transaction for the end, `connect_committed` connects who does so. `readers` are asked
    about, `ends` are those of their logs and grow where answers know better, `members` are in the group of the `app`, where that
    is known.
    """

    leaders: Leaders
    stable: Leaders
    connect: Connect
    connect_committed: Connect
    readers: Mapping[Read, Reader]
    ends: dict[TopicPartition, int]
    app: str
    members: int | None

    async def ask(self, now_ms: int, *, timed: bool) -> None:
        """Ask for what neither commits nor looks tell; `timed`: the broker knows times, and transactions."""
        await self.read_behind({read: one.reads(now_ms) for read, one in self.readers.items() if one.must_read(now_ms)})
        if timed:
            await self._date(now_ms)
        unwell = self._unwell(now_ms)
        await self.read_behind(
            {read: one.reads(now_ms) for read, (one, status) in unwell.items() if one.is_doubtful(status, now_ms)}
        )
        if timed:
            await self._ask_committed(
                {read: one for read, (one, status) in self._unwell(now_ms).items() if status is not Status.OK}
            )

    def _unwell(self, now_ms: int) -> dict[Read, tuple[Reader, Status]]:
        return {(name, tp): (one, one.status(now_ms, self.members_of(name))) for (name, tp), one in self.readers.items()}

    async def _ask_committed(self, unwell: Mapping[Read, Reader]) -> None:
        """Ask whether those others who seem to stand may be waiting for a transaction: our own workers never do."""
        others = {read: one for read, one in unwell.items() if read[0] != self.app}
        stable = await self.stable.ends({tp for _, tp in others}) if others else {}
        unread = {read: one for read, one in others.items() if read[1] in stable and not one.knows_committed(stable[read[1]])}
        for name in dict.fromkeys(name for name, _ in unread):
            starts = {tp: one.start for (group_, tp), one in unread.items() if group_ == name}
            nothing = await nothing_committed(self.connect_committed, starts, stable)
            for tp in starts:
                unread[name, tp].heard_committed(stable[tp], is_nothing=tp in nothing)

    def members_of(self, name: str) -> int | None:
        """Return how many are in a group, where that is known."""
        return self.members if name == self.app else None

    async def read_behind(self, starts: Mapping[Read, int]) -> None:
        """Read the first record behind each of these offsets."""
        for name, topic in dict.fromkeys((name, tp.topic) for name, tp in starts):
            places = {tp: start for (group_, tp), start in starts.items() if (group_, tp.topic) == (name, topic)}
            for tp, unread in (await first_records(self.connect, places, self.ends)).items():
                self.readers[name, tp].found(unread)

    async def _date(self, now_ms: int) -> None:
        """Ask for the timestamps of records that came a moment ago, or while nobody looked."""
        asked = {reader: at for reader in self.readers.values() if (at := reader.asks_from(now_ms)) is not None}
        for name in dict.fromkeys(name for name, _ in self.readers):
            mine = {tp: reader for (group_, tp), reader in self.readers.items() if group_ == name and reader in asked}
            for tp, answer in (await self.leaders.since({tp: asked[reader] for tp, reader in mine.items()})).items():
                mine[tp].dated(None if answer is None else (answer.offset, answer.timestamp))

    async def ends_then(self, now_ms: int) -> Then:
        """Ask for the ends at the oldest and the newest known commit of who is behind, where they were not looked at."""
        found: dict[tuple[TopicPartition, int], int] = {}
        for (_, tp), reader in self.readers.items():
            ring, since = reader.ring.commits, reader.since_ms
            for at in {ring[0].at_ms, ring[-1].at_ms} if since is not None and now_ms - since > ALLOWED_MS else ():
                if reader.end_at(at) is None:
                    for answer in (await self.leaders.since({tp: at})).values():
                        found[tp, at] = answer.offset if answer else self.ends[tp]
        return found
