"""`events` -> rows of visitors; what somebody listens to goes on to `people`."""

import time
from collections.abc import Callable, Iterable
from math import inf

from faust.types import TP

from stream.agents.anonymous import Anonymous, counted_in
from stream.agents.erasing import Graveyard
from stream.agents.events import Events
from stream.agents.headers import UNTOLD, told_by
from stream.agents.judging import Judging, MakeIntake
from stream.agents.opened import VERDICTS, Open
from stream.agents.own_records import OwnRecords
from stream.agents.parts import in_parts
from stream.agents.rules import RULESET_KEY, RulesInForce
from stream.agents.topics import Topics
from stream.domain import log
from stream.domain.editions import Edition
from stream.domain.ruleset.model import Ruleset
from stream.domain.visitor import Visitor, remember, seems_forgotten, wake
from stream.ops.metrics import Metrics
from stream.runtime.batches import Batch, Record
from stream.runtime.flow import Flow
from stream.runtime.lanes import Message
from stream.runtime.misfits import unreadable
from stream.runtime.rows import RowPart, RowTable

MAX_CHANGED_ROWS = 100_000
MAX_OUT_BYTES = 4 * 1024 * 1024
"""What one batch may make before it must be handed on: a lead's sums may be half a megabyte, an event 100 bytes."""
SLICE_S = 0.5
"""After so long the loop must turn: an erasure looks at every row, and a compressed batch may hold 300,000 records."""


class Visitors:
    """The work of two agents. Positions in rows begin with the epoch of their partition of `events`."""

    def __init__(
        self, flow: Flow, table: RowTable[Visitor], topics: Topics, make_intake: MakeIntake, rules: RulesInForce,
        metrics: Metrics,
    ) -> None:  # fmt: skip
        self._flow, self.table, self._topics, self._metrics = flow, table, topics, metrics
        self._judging = Judging(rules, make_intake)
        self.came_back: Callable[[TP, str], None] = _let_go
        """Hears of a canary at the end of its way."""
        self._anonymous = Anonymous(flow, topics.members, lambda part: self._judging.in_force(part).floor)
        self._events = Events(flow, topics, OwnRecords(flow, self._judging, self._anonymous), self._anonymous, metrics)
        table.opened = self.seed

    async def read_events(self, delivered: Batch) -> None:
        """Apply a delivered batch of `events`, in parts; what lies before a switch of rulesets is committed before it."""
        await in_parts(self._flow, delivered, self.take_events, MAX_CHANGED_ROWS, self._flow.checkpoint.run)

    def take_events(self, batch: Batch) -> tuple[RowPart[Visitor], Batch | None]:
        """Apply a batch of `events`; its outputs are handed on when this returns. Also returns what is left of it.

        It ends before a record that puts a ruleset in force, as long as something before that is not committed, and behind one
        with which it has made much, or has taken long.
        """
        part, rest, until = self.table.open(batch.tp.partition), None, time.perf_counter() + SLICE_S
        to = Open(batch, part, self._base(batch.tp))
        self._judging.judge_by(self._judging.editions(part).at(to.base + batch.start), to)
        most = self._flow.quota.part_of(MAX_OUT_BYTES)
        for index, record in enumerate(batch.records):
            told = told_by(record.headers) if record.headers else UNTOLD
            if told.switches:
                if not index and part.is_behind(batch.tp):
                    return part, batch
                if index:
                    batch, rest = batch.split(index)
                    break
            try:
                self._events.take(record, told, to)
            except log.Unreadable as error:
                raise unreadable(batch, record, error) from error
            if (to.out_bytes > most or time.perf_counter() > until) and record is not batch.records[-1]:
                batch, rest = batch.split(index + 1)
                break
        progress = self._flow.progress[batch.tp]
        if to.snapshots:
            back = progress.steps_back(to.told_at)
            if back is not None:
                self.tick(batch.tp.partition, back)
            part.sent(self._flow.outbox.put(self._topics.people, 0, to.snapshots))
        progress.handed_on(batch.next, to.received, int(time.time() * 1000), history=to.history)
        if not to.history:  # what a history says about when it was received is not about us
            part.received += to.received
        part.done(batch)
        self._count(to)
        return part, rest

    async def read_wakes(self, delivered: Batch) -> None:
        """Apply a delivered batch of `wakes`, in parts."""
        await in_parts(self._flow, delivered, self.take_wakes, MAX_CHANGED_ROWS)

    def take_wakes(self, batch: Batch) -> tuple[RowPart[Visitor], Batch | None]:
        """Apply a batch of `wakes`, or so much of it as makes much; also returns what is left of it."""
        part, rest = self.table.open(batch.tp.partition), None
        snapshots, out_bytes, most = [], 0, self._flow.quota.part_of(MAX_OUT_BYTES)
        for index, record in enumerate(batch.records):
            if out_bytes > most:
                batch, rest = batch.split(index)
                break
            try:
                answer = self._wake(record, part)
            except log.Unreadable as error:
                raise unreadable(batch, record, error) from error
            if answer is not None:
                snapshots.append(answer)
                out_bytes += len(answer.value or b"")
        if snapshots:
            part.sent(self._flow.outbox.put(self._topics.people, 0, snapshots))
        self._flow.progress[batch.tp].applied = batch.next
        part.done(batch)
        self._metrics.events.labels(batch.tp.topic).inc(len(batch.records))
        return part, rest

    def _wake(self, record: Record, part: RowPart[Visitor]) -> Message | None:
        told = log.decode(record.value or b"")
        if isinstance(told, log.Canary):
            self.came_back(TP(self._topics.events, part.changelog.partition), told.node)
            return None
        if not isinstance(told, log.Wake | log.Said):
            raise log.Unreadable("no wake")
        key = told.node.encode()
        known = part.get(key)
        if isinstance(told, log.Said):
            self._remember(told, key, known, part)
            return None
        row = known or Graveyard(part).wake(key, told.place)
        if row is None:
            return None
        was = counted_in(known)
        row, snapshot = wake(row, told.node, told.r, self._judging.in_force(part))
        if known is not None or row.erased is None:  # what rises from a grave begins with its first event
            part.put(key, row)
        if was is not None:  # people take from its account whom the snapshot names; what was forgotten it names no more
            self._anonymous.note(part, key, was, row)
        return Message(None, log.encode(snapshot))

    def _remember(self, told: log.Said, key: bytes, known: Visitor | None, part: RowPart[Visitor]) -> None:
        """Remember an operator's word in a row; one from before the identity's erasure was about somebody else."""
        graves = Graveyard(part)
        row = known or graves.wake(key, told.place)
        grave = graves.grave(told.linked.encode()) if told.linked else None
        if grave is not None and told.place <= grave.erased_at:
            told.linked = ""
        if row is not None and (known is not None or row.erased is None) and remember(row, told):
            part.put(key, row)

    def tick(self, partition: int, until: int) -> None:
        """Tell `people` that everything received until then has been handed on, and how much of it to accounts."""
        handed = self._anonymous.tick(self.table.open(partition), until)
        told = log.Tick(partition, until, handed if handed < until else None)
        self._flow.outbox.put(self._topics.people, 0, [Message(None, log.encode(told))])
        self._metrics.clock_lag.labels(str(partition)).set(max(0.0, time.time() - until / 1000))

    def forgets(self, part: RowPart[Visitor]) -> bool:
        """Tell whether a partition's ruleset has an idle horizon."""
        return self._judging.in_force(part).idle_horizon_ms < inf

    def forget(self, part: RowPart[Visitor], keys: Iterable[bytes], below: int, until: int) -> int:
        """Remove the rows that lie behind the horizon at `until` (ms) and whose last record is gone from Kafka; return how many.

        `below` is the first offset that is still there: nothing can be read again, so nothing can come that such a row knew.
        """
        rules, gone = self._judging.in_force(part), []
        base = self._base(TP(self._topics.events, part.changelog.partition))
        for key in keys:
            row = part.stored.get(key)
            if row is None or key in part.changed or key.startswith(RULESET_KEY[:1]):
                continue
            if int.from_bytes(row[1:9], "big") < base + below and seems_forgotten(row, until, rules):
                gone.append(key)
        for key in gone:
            self._anonymous.let_go(part, key, 0, log.BY_ITSELF)  # no clock of accounts runs by our housekeeping
            part.drop(key)
        return len(gone)

    def in_force(self, tp: TP, offset: int) -> Edition | None:
        """Return the edition in force in a partition once `events` is read up to an offset."""
        part = self.table.parts.get(tp.partition)
        if part is None:
            return None
        known = self._judging.editions(part)
        return known.at(self._base(tp) + offset - 1) if tp.topic == self._topics.events else known.newest

    def seed(self, part: RowPart[Visitor]) -> None:
        """Begin with a partition that is opened."""
        self._anonymous.open(part)
        self._judging.seed(part)

    def _base(self, tp: TP) -> int:
        return self._flow.base(tp) + 1

    def _count(self, to: Open) -> None:
        metrics, counts = self._metrics, to.counts
        read = sum(counts[what] for what in VERDICTS)
        metrics.events.labels(to.topic).inc(read)
        for what, counter in (
            ("applied", metrics.applied), ("duplicate", metrics.duplicates), ("echo", metrics.echoes),
            ("own", metrics.own), ("forwarded", metrics.forwarded), ("late", metrics.late),
        ):  # fmt: skip
            if counts[what]:
                counter.inc(counts[what])

    def ruleset(self, partition: int) -> Ruleset:
        """Return the ruleset in force in a partition; it was read when it came."""
        return self._judging.in_force(self.table.open(partition))


def _let_go(_tp: TP, _canary: str) -> None:
    """Let a canary go: nobody waits for it here."""
