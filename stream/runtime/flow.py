"""What a worker's parts share: where each partition stands, what it owes, and who may still send."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Protocol, cast

from faust.types import TP

from stream.runtime.batches import Batch, Unread
from stream.runtime.changelog import Changelogs
from stream.runtime.checkpoint import Checkpoint
from stream.runtime.deadline import Deadline
from stream.runtime.fatal import Gap, Misfit, die
from stream.runtime.faults import Faults
from stream.runtime.lanes import Message, Outbox
from stream.runtime.misfits import CHANGELOG_LOST, FOLD_LOST, misfit
from stream.runtime.partstore import PartStore
from stream.runtime.positions import Positions
from stream.runtime.producer import BatchProducer, partition_of
from stream.runtime.quota import Quota
from stream.runtime.watchdog import Stale, Watchdog
from stream.runtime.work import Part, Position, Work

if TYPE_CHECKING:
    import faust

    from stream.runtime.consumer import BatchConsumer
    from stream.runtime.restoring import Restoring
    from stream.runtime.ticks import Progress

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
    other topics written to. `rules` gives the ruleset's hash and place at a position, for the commit, `done` hears of each
    checkpoint. `folds` are the sources whose table is cut atomically.
    """

    def __init__(
        self,
        app: "faust.App",
        sources: Mapping[str, tuple[str, int]],
        outputs: Iterable[str],
        limit_s: float,
        rules: Callable[[TP, int], tuple[str, int]] = lambda _tp, _position: ("", 0),
        done: Callable[[list[Work], float], None] | None = None,
        folds: Iterable[str] = (),
    ) -> None:
        self.app, self.sources, self.limit_s = app, sources, limit_s
        self.folds = frozenset(folds)
        self.patient: frozenset[str] = frozenset()
        """Sources that come last: a full queue of theirs keeps nobody waiting."""
        self.taken: Callable[[], object] = int
        """Called when an agent takes a batch."""
        self.tables: dict[str, OpenTable] = {}
        """The open tables by changelog."""
        self.counts: dict[str, int] = dict.fromkeys((*sources, *outputs), 0)
        """How many partitions each topic has; known before the first batch."""
        self.running: set[TP] = set()
        """Source partitions whose rows are here: they are read, others wait for the recovery."""
        self.sought: set[TP] = set()
        """Those that were put where they go on, once an assignment: they may run already."""
        self.assigned = False
        """Whether the group has assigned and not begun to take away."""
        self.life = 0
        """How often it has assigned."""
        self.progress: dict[TP, Progress] = {}
        self.positions = Positions(self, rules)
        self.restoring_since = time.monotonic()
        self.restored_rows = 0
        self.restoring: Restoring | None = None
        """The recovery that goes on."""
        self.recovery_s = 0.0
        self.building = 0
        """How many folds are being built."""
        self.prepared = 0
        """Steps made towards a ruleset that is to come: they take long, and nothing is applied meanwhile."""
        self.ready = False
        self.checkpoints = 0
        self.watchdog = Watchdog(limit_s, lambda: self.consumer.heartbeat_at)
        self.changelogs = Changelogs(self.producer, self._ends, self.stores, self._lost)
        self.faults, self.quota = Faults.of_environment(), Quota()
        self.deadline = Deadline(limit_s, lambda: self.quota.until)
        self.checkpoint = Checkpoint(
            self._parts, self._append, self._commit, self._reach, self._counted(done or _ignore), self.deadline
        )
        self.outbox = Outbox(self.producer, self.watchdog.check, self.deadline.goes_on, self.quota)

    @property
    def consumer(self) -> "BatchConsumer":
        """The app's consumer."""
        return cast("BatchConsumer", self.app.consumer)

    def producer(self) -> BatchProducer:
        """Return the app's producer; there is none before the app starts."""
        return cast("BatchProducer", self.app.producer)

    async def _ends(self, tps: Iterable[TP]) -> Mapping[TP, tuple[int, int]]:
        return await self.consumer._thread.ends(tps)

    async def beginnings(self, tps: Iterable[TP]) -> dict[TP, int]:
        """Ask for the first offset that Kafka still has of each partition."""
        return {tp: first for tp, (first, _) in (await self._ends(tps)).items()}

    def stores(self) -> Mapping[str, PartStore]:
        """Return the store of each table by its changelog."""
        return {table.changelog_topic.get_topic_name(): cast("PartStore", table.data) for table in self.app.tables.values()}

    def _lost(self, changelog: TP, end: int, said: int) -> Misfit:
        source = next(topic for topic, (table, _) in self.sources.items() if table == changelog.topic)
        kind = FOLD_LOST if source in self.folds else CHANGELOG_LOST
        return misfit(kind, where=f"{source}-{changelog.partition}", end=end, said=said)

    def _counted(self, done: Callable[[list[Work], float], None]) -> Callable[[list[Work], float], None]:
        def counted(works: list[Work], seconds: float) -> None:
            self.checkpoints += 1
            done(works, seconds)

        return counted

    @property
    def owes(self) -> bool:
        """Whether a checkpoint has something to do."""
        return self.checkpoint.lock.locked() or any(part.owes for part in self._parts())

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

    def accept(self, batch: Batch | Unread) -> Batch | None:
        """Read of a delivered batch the part that follows what was applied; None: all of it was. Raises `Gap`."""
        self.taken()
        self.faults.hit("decoded")
        applied = self.progress[batch.tp].applied
        if batch.start > applied:
            msg = f"{batch.tp.topic}-{batch.tp.partition}: applied up to {applied}, got {batch.start}..{batch.next}"
            raise Gap(msg)
        if batch.next <= applied:
            return None
        batch = batch.since(applied)
        return batch.read() if isinstance(batch, Unread) else batch

    def put(self, topic: str, key: bytes, message: Message) -> asyncio.Future[None]:
        """Send one message to its key's partition."""
        return self.outbox.put(topic, partition_of(key, self.counts[topic]), [message])

    async def room(self, part: Part, limit: int) -> None:
        """Wait while more than `limit` rows or cuts of a partition are unwritten, or too many outputs unacknowledged.

        A quota makes both less.
        """
        await self.faults.reach("applied")
        while part.backlog > self.quota.part_of(limit):
            await self.checkpoint.run()
        await self.outbox.room()

    async def _reach(self, step: str) -> None:
        self.watchdog.check()
        await self.faults.reach(step)

    async def _append(self, work: Work) -> None:
        """Append rows, and behind them how far they go: a commit is deleted together with its topic."""
        marks = self.positions.rows(work.positions)
        if marks:
            work.rows.append(list(marks))
            self.stores()[work.changelog.topic].part(work.changelog.partition).update(marks)
        await self.changelogs.append(work, self.deadline.wrote)
        await self.faults.reach("appended")

    async def _commit(self, positions: Mapping[TP, Position]) -> None:
        if positions:
            await self.consumer.write_offsets(self.positions.offsets(positions))

    def base(self, tp: TP) -> int:
        """Return what makes positions in rows of a partition's offsets: its epoch, above them."""
        return self.positions.base(tp)

    def on_answer(self, tp: TP, highwater: int, sent_ms: int) -> None:
        """Pass a fetch answer on to the partition's progress; called by the consumer thread."""
        progress = self.progress.get(tp)
        if progress is not None:
            progress.answered(highwater, sent_ms)

    async def on_revoked(self, *, let_go: bool = False) -> None:
        """Write what is owed before the group takes partitions away; `let_go`: others have them, nothing is written."""
        self.ready = self.assigned = False
        await self.faults.reach("revoke")
        if let_go and self.owes:
            die(Stale("the group has let this worker go, and others write what it owes"))
        await self.checkpoint.run()
        self.running.clear()
        self.sought.clear()

    def on_assigned(self) -> None:
        """Start with nothing owed, or not at all."""
        owed = [topic for topic, table in self.tables.items() for part in table.parts.values() if part.owes]
        if owed:
            die(AssertionError(f"assigned anew while rows of {owed[0]} are unwritten"))
        for table in self.tables.values():
            table.reset()
        self.running.clear()
        self.sought.clear()
        self.progress.clear()
        self.assigned, self.life = True, self.life + 1
        self.restored_rows = 0

    def on_restored(self, rows: int) -> None:
        """Count rows that the recovery read."""
        self.restored_rows += rows
        if self.restoring is not None:
            self.restoring.rows += rows

    def on_ready(self) -> None:
        """Note that everything assigned is restored."""
        self.recovery_s = time.monotonic() - self.restoring_since
        for tp in self.running:
            changelog = self.changelog_of(tp)
            if changelog is not None:
                part = self.tables[changelog.topic].open(changelog.partition)  # stale rows are written again, traffic or not
                at = self.positions.unsaid.pop(tp, None)
                if at is not None and self.progress[tp].applied == at.next:  # nothing may come for long, and lag would be told
                    part.stands(tp, at)
        self.ready, self.restoring = True, None
        log.info("ready: %d rows in %.2f s, %d partitions", self.restored_rows, self.recovery_s, len(self.running))


def _ignore(_works: list[Work], _seconds: float) -> None:
    """Hear of a checkpoint and do nothing."""
