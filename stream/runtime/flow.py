"""What a worker's parts share: where each partition stands, what it owes, and who may still send."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Protocol, cast

from faust.types import TP

from stream.runtime.batches import Batch
from stream.runtime.changelog import Changelogs
from stream.runtime.checkpoint import Checkpoint
from stream.runtime.fatal import Gap, Misfit, die
from stream.runtime.faults import Faults
from stream.runtime.lanes import Message, Outbox
from stream.runtime.partstore import PartStore
from stream.runtime.producer import BatchProducer, partition_of
from stream.runtime.resume import (
    MARK_KEY,
    Found,
    Mark,
    Resume,
    mark_row,
    read_mark,
    read_mark_row,
    resume,
    write_mark,
)
from stream.runtime.ticks import Progress
from stream.runtime.watchdog import Stale, Watchdog
from stream.runtime.work import Part, Position, Work

if TYPE_CHECKING:
    import faust

    from stream.runtime.consumer import BatchConsumer

log = logging.getLogger(__name__)


class OpenTable(Protocol):
    """The open partitions of a table."""

    @property
    def parts(self) -> Mapping[int, Part]:
        """The partitions that were opened since the group assigned."""

    def open(self, partition: int) -> Part:
        """Return an assigned partition."""

    def position(self, partition: int) -> int | None:
        """Return where the table itself says that its source goes on."""

    def reset(self) -> None:
        """Forget what went."""


class Flow:
    """The state of a worker between Kafka and the agents.

    `sources` says for each source topic the changelog of its table and how many partitions it must have, `outputs` are the
    other topics written to. `rules` gives the ruleset's hash for the commit, `done` hears of each checkpoint.
    """

    def __init__(
        self,
        app: "faust.App",
        sources: Mapping[str, tuple[str, int]],
        outputs: Iterable[str],
        limit_s: float,
        rules: Callable[[], str] = lambda: "",
        done: Callable[[list[Work], float], None] | None = None,
    ) -> None:
        self.app, self.sources, self.limit_s, self._rules = app, sources, limit_s, rules
        self.tables: dict[str, OpenTable] = {}
        """The open tables by changelog."""
        self.counts: dict[str, int] = dict.fromkeys((*sources, *outputs), 0)
        """How many partitions each topic has; known before the first batch."""
        self.running: set[TP] = set()
        """Source partitions whose rows are here: they are read, others wait for the recovery."""
        self.assigned = False
        """Whether the group has assigned and not begun to take away."""
        self.progress: dict[TP, Progress] = {}
        self.restoring_since = time.monotonic()
        self.restored_rows = 0
        self.recovery_s = 0.0
        self.ready = False
        self.watchdog = Watchdog(limit_s, lambda: self.consumer.heartbeat_at)
        self.outbox = Outbox(self._producer, self.watchdog.check)
        self.changelogs = Changelogs(self._producer, self._ends, self._stores)
        self.faults = Faults.of_environment()
        self.checkpoint = Checkpoint(
            self._parts, self._append, self._commit, self._reach, done or _ignore, limit_s
        )  # fmt: skip

    @property
    def consumer(self) -> "BatchConsumer":
        """The app's consumer."""
        return cast("BatchConsumer", self.app.consumer)

    def _producer(self) -> BatchProducer:
        return cast("BatchProducer", self.app.producer)

    async def _ends(self, tps: Iterable[TP]) -> Mapping[TP, tuple[int, int]]:
        return await self.consumer._thread.ends(tps)

    def _stores(self) -> Mapping[str, PartStore]:
        return {table.changelog_topic.get_topic_name(): cast("PartStore", table.data) for table in self.app.tables.values()}

    def _parts(self) -> Iterable[Part]:
        return [part for table in self.tables.values() for part in list(table.parts.values())]

    @property
    def alive(self) -> bool:
        """Whether this process may send: its loop turns and the group answers."""
        try:
            self.watchdog.check()
        except Stale:
            return False
        return True

    def changelog_of(self, tp: TP) -> TP | None:
        """Return the changelog partition that a source partition's rows are in."""
        source = self.sources.get(tp.topic)
        return None if source is None else TP(source[0], tp.partition)

    # -- the agents' side

    def accept(self, batch: Batch) -> Batch | None:
        """Return the part of a delivered batch that follows what was applied; None: all of it was. Raises `Gap`."""
        applied = self.progress[batch.tp].applied
        if batch.start > applied:
            msg = f"{batch.tp.topic}-{batch.tp.partition}: applied up to {applied}, got {batch.start}..{batch.next}"
            raise Gap(msg)
        return batch.since(applied) if batch.next > applied else None

    def put(self, topic: str, key: bytes, message: Message) -> asyncio.Future[None]:
        """Send one message to its key's partition."""
        return self.outbox.put(topic, partition_of(key, self.counts[topic]), [message])

    async def room(self, part: Part, limit: int) -> None:
        """Wait while more than `limit` rows or cuts of a partition are unwritten."""
        await self.faults.reach("applied")
        while part.backlog > limit:
            await self.checkpoint.run()

    # -- the checkpoint's side

    async def _reach(self, step: str) -> None:
        self.watchdog.check()
        await self.faults.reach(step)

    async def _append(self, work: Work) -> None:
        """Append rows, and behind them how far they go: a commit is deleted together with its topic."""
        marks = [(MARK_KEY + tp.topic.encode(), mark_row(at.next, self._mark(tp, at))) for tp, at in work.positions.items()]
        if marks:
            work.rows.append(list(marks))
            self._stores()[work.changelog.topic].part(work.changelog.partition).update(marks)
        await self.changelogs.append(work)

    async def _commit(self, positions: Mapping[TP, Position]) -> None:
        if positions:
            await self.consumer.write_offsets({tp: (at.next, write_mark(self._mark(tp, at))) for tp, at in positions.items()})

    def _mark(self, tp: TP, at: Position) -> Mark:
        changelog = cast("TP", self.changelog_of(tp))
        return Mark(
            self.changelogs.last(changelog), self.counts[tp.topic], at.last, at.print, self._rules(),
            self.progress[tp].history_until,
        )  # fmt: skip

    # -- the consumer's side

    async def positions(self, tps: set[TP]) -> dict[TP, Resume]:
        """Decide where source partitions go on; raises `Misfit`."""
        await self.faults.reach("seek")
        await self._count_partitions()
        thread = self.consumer._thread
        committed, ends = await thread.committed(tps), await thread.ends(tps)
        found: dict[TP, Resume] = {}
        for tp in tps:
            changelog = cast("TP", self.changelog_of(tp))
            at = committed.get(tp)
            mark = read_mark(at.metadata) if at is not None else None
            # building a fold may take seconds: the loop must turn meanwhile
            state_at = await asyncio.to_thread(self.tables[changelog.topic].position, tp.partition)
            found[tp] = resume(
                Found(
                    tp, None if at is None else at.offset, mark, self._stored_mark(tp, changelog),
                    state_at,
                    *ends[tp], self.counts[tp.topic], self.changelogs.last(changelog),
                )
            )  # fmt: skip
            self.progress[tp] = Progress(found[tp].position, mark.until if mark is not None else 0)
        return found

    def _stored_mark(self, tp: TP, changelog: TP) -> tuple[int, Mark] | None:
        row = self._stores()[changelog.topic].part(changelog.partition).get(MARK_KEY + tp.topic.encode())
        return None if row is None else read_mark_row(row)

    async def _count_partitions(self) -> None:
        for topic, known in self.counts.items():
            if not known:
                self.counts[topic] = await self._producer().partitions_for(topic)
        for topic, (_, wanted) in self.sources.items():
            if self.counts[topic] != wanted:
                msg = f"{topic} has {self.counts[topic]} partitions, PARTITIONS asks for {wanted}: set it to what the topic has"
                raise Misfit(msg)

    def on_answer(self, tp: TP, highwater: int, sent_ms: int) -> None:
        """Pass a fetch answer on to the partition's progress; called by the consumer thread."""
        progress = self.progress.get(tp)
        if progress is not None:
            progress.answered(highwater, sent_ms)

    async def on_revoked(self) -> None:
        """Write what is owed before the group takes partitions away."""
        self.ready = self.assigned = False
        await self.faults.reach("revoke")
        await self.checkpoint.run()
        self.running.clear()

    def on_assigned(self) -> None:
        """Start with nothing owed, or not at all."""
        owed = [topic for topic, table in self.tables.items() for part in table.parts.values() if part.owes]
        if owed:
            die(AssertionError(f"assigned anew while rows of {owed[0]} are unwritten"))
        for table in self.tables.values():
            table.reset()
        self.running.clear()
        self.progress.clear()
        self.assigned = True
        self.restored_rows = 0

    def on_restored(self, rows: int) -> None:
        """Count rows that the recovery read."""
        self.restored_rows += rows

    def on_ready(self) -> None:
        """Note that everything assigned is restored."""
        self.recovery_s = time.monotonic() - self.restoring_since
        for tp in self.running:
            changelog = self.changelog_of(tp)
            if changelog is not None:
                self.tables[changelog.topic].open(changelog.partition)  # stale rows are written again, traffic or not
        self.ready = True
        log.info("ready: %d rows in %.2f s, %d partitions", self.restored_rows, self.recovery_s, len(self.running))


def _ignore(_works: list[Work], _seconds: float) -> None:
    """Hear of a checkpoint and do nothing."""
