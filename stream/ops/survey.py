"""What Kafka holds of each source and its changelog, looked at while no worker lives, and how a source is let go on."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, OffsetAndMetadata, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from faust.types import TP

from stream.domain.head import order_of, position_of
from stream.domain.ownrows import META
from stream.errors import UsageError
from stream.ops import group
from stream.ops.ownership import require_own
from stream.runtime.adopting import OF_PEOPLE, troubles
from stream.runtime.batches import fingerprint
from stream.runtime.fatal import Misfit
from stream.runtime.hangup import hangs_up
from stream.runtime.misfits import OTHER_PREFIX, OTHER_RECORD, misfit
from stream.runtime.resume import MARK_KEY, Found, Mark, mark_row, other_source, read_mark, read_mark_row, write_mark
from stream.runtime.topics import is_embedded, sources
from stream.settings import Settings

Heads = dict[TP, dict[bytes, bytes]]
"""Of each changelog partition the rows that say how far sources were read."""
READ_MS = 1000
LEAVE_S, AGAIN_S = 2.0, 0.5


@dataclass(frozen=True, slots=True)
class Looked:
    """One partition of a source, and what does not fit there."""

    found: Found
    changelog: TP
    met: list[Misfit] = field(default_factory=list)

    @property
    def where(self) -> str:
        """What it is called."""
        return f"{self.found.tp.topic}-{self.found.tp.partition}"


async def require_no_worker(admin: AIOKafkaAdminClient, settings: Settings) -> None:
    """Wait until nobody is in the group, as long as one that was killed counts as a member; raises UsageError then.

    It raises UsageError at once where the group, or what it is to read, is not ours.
    """
    if not await is_embedded(admin):
        await require_own(admin, settings)
    until = asyncio.get_running_loop().time() + settings.session_timeout.total_seconds() + LEAVE_S
    while count := await group.members(admin, settings.app):
        if asyncio.get_running_loop().time() > until:
            raise UsageError(f"{count} workers are in the group {settings.app}: stop them first")
        await asyncio.sleep(AGAIN_S)


class Survey:
    """Looks at an installation."""

    def __init__(self, settings: Settings, admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer) -> None:
        self._settings, self._admin, self._consumer = settings, admin, consumer
        self.sources = sources(settings)
        self._fold = settings.topic("people")
        self._cut = {self._fold, settings.topic("members")}
        self._heads: Heads = {}

    async def look(self, topics: Iterable[str] = ()) -> list[Looked]:
        """Return every partition of some sources, or of all, with what does not fit; reads their changelogs to the end.

        Raises UsageError where these belong to another prefix.
        """
        chosen = list(topics) or list(self.sources)
        places = await group.partitions(self._admin, chosen)
        logs = await group.partitions(self._admin, dict.fromkeys(self.sources[topic] for topic in chosen))
        commits = await group.commits(self._admin, self._settings.app, places)
        first = await self._consumer.beginning_offsets([*places, *logs])
        ends = await self._consumer.end_offsets([*places, *logs])
        heads = self._heads = await self._read_heads(logs, first, ends)
        for rows in heads.values():
            if other := other_source(rows, self.sources):
                raise UsageError(str(misfit(OTHER_PREFIX, app=self._settings.app, topic=other)))
        looked = []
        for place in places:
            tp, log = TP(*place), TP(self.sources[place.topic], place.partition)
            rows, at, fold = heads.get(log, {}), commits.get(place), place.topic == self._fold
            stored = rows.get(MARK_KEY + place.topic.encode())
            state = rows.get(META) if place.topic in self._cut else None
            found = Found(
                tp, None if at is None else at.offset, None if at is None else read_mark(at.metadata),
                None if stored is None else read_mark_row(stored), None if state is None else position_of(state),
                first[place], ends[place], sum(place.topic == other.topic for other in places),
                ends.get(TopicPartition(*log), 0) - 1, first.get(TopicPartition(*log), 0), fold,
            )  # fmt: skip
            looked.append(await self._judged(found, log))
        return looked

    async def says_people_are_lost(self) -> bool:
        """Tell, also while workers live, whether the changelog of people lost rows: what it lacks was committed behind it."""
        return any(met.kind in OF_PEOPLE for one in await self.look([self._fold]) for met in one.met)

    def row_of(self, table: TP, key: bytes) -> bytes | None:
        """Return a row of one partition of a changelog, of those that every partition has."""
        return self._heads.get(table, {}).get(key)

    def rows_of(self, key: bytes) -> list[bytes]:
        """Return the rows of a key that every partition has, of those looked at."""
        return [rows[key] for rows in self._heads.values() if key in rows]

    async def _judged(self, found: Found, log: TP) -> Looked:
        met, goes_on = troubles(found)
        if goes_on is not None and goes_on.mark is not None:
            seen = await self._print_at(found.tp, goes_on.mark.last, found.end)
            if seen is not None and seen != goes_on.mark.print:
                met.append(misfit(OTHER_RECORD, where=f"{found.tp.topic}-{found.tp.partition}", offset=goes_on.mark.last))
        return Looked(found, log, met)

    async def _print_at(self, tp: TP, offset: int, end: int) -> str | None:
        """Return the fingerprint of the record at an offset; None where there is none."""
        place = TopicPartition(*tp)
        self._consumer.assign([place])
        self._consumer.seek(place, offset)
        while await self._consumer.position(place) < end:
            for record in (await self._consumer.getmany(place, timeout_ms=READ_MS)).get(place, []):
                return fingerprint(record) if record.offset == offset else None
        return None

    async def _read_heads(
        self, logs: Sequence[TopicPartition], first: dict[TopicPartition, int], ends: dict[TopicPartition, int]
    ) -> Heads:
        heads: Heads = {}
        for place in logs:
            if first[place] >= ends[place]:
                continue
            self._consumer.assign([place])
            self._consumer.seek(place, first[place])
            while await self._consumer.position(place) < ends[place]:
                for record in (await self._consumer.getmany(place, timeout_ms=READ_MS)).get(place, []):
                    key, value = record.key or b"", record.value
                    if key[:1] == b"\x00":
                        rows = heads.setdefault(TP(*place), {})
                        if not value:
                            rows.pop(key, None)
                        elif order_of(value) >= order_of(rows.get(key, b"")):
                            rows[key] = value
        return heads


async def let_go_on(
    settings: Settings, producer: AIOKafkaProducer, turns: Iterable[tuple[Looked, int, Mark]]
) -> None:  # fmt: skip
    """Write for each source where it goes on: into its changelog, which outlives a commit, and as the group's commit."""
    offsets = {}
    for looked, position, mark in turns:
        topic, partition = looked.changelog
        key = MARK_KEY + looked.found.tp.topic.encode()
        await producer.send_and_wait(topic, mark_row(position, mark), key=key, partition=partition)
        offsets[TopicPartition(*looked.found.tp)] = OffsetAndMetadata(position, write_mark(mark))
    committer = hangs_up(AIOKafkaConsumer(**settings.client(), group_id=settings.app, enable_auto_commit=False))
    await committer.start()
    try:
        committer.assign(list(offsets))
        async with group.answering(settings.app):
            await committer.commit(offsets)
    finally:
        await committer.stop()
