"""`events` -> rows of visitors; what somebody listens to goes on to `people`."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from math import inf
from zlib import crc32

from faust.types import TP

from schemas.event import Rejected
from stream.agents.anonymous import Anonymous, counted_in
from stream.agents.dead_letters import dead_letter, erased_letter
from stream.agents.erasing import ERASE, Graveyard
from stream.agents.erasing import told as erased_by
from stream.agents.headers import FORWARDED, HISTORY, INTERNAL, RESYNC, forwarded_from, has, replayed_from
from stream.agents.latch import FLAGS
from stream.agents.rules import FORMATS, RULESET_KEY, RulesInForce, is_switch, new_ruleset
from stream.agents.topics import Topics
from stream.domain import canary, editions, log
from stream.domain.editions import Edition
from stream.domain.event import Event
from stream.domain.ruleset.model import Ruleset
from stream.domain.trust import doubt
from stream.domain.visitor import Visitor, apply, is_erased, rise, say_again, seems_forgotten, wake
from stream.intake import Intake
from stream.ops.metrics import Metrics
from stream.runtime.batches import Batch, Record
from stream.runtime.flow import Flow
from stream.runtime.lanes import Message
from stream.runtime.misfits import unreadable
from stream.runtime.producer import partition_of
from stream.runtime.rows import RowPart, RowTable

MAX_CHANGED_ROWS = 100_000
MAX_TOLD_BYTES = 8 * 1024 * 1024
"""Snapshots made of one batch before they must be handed on: a lead's sums may be half a megabyte, an event 100 bytes."""
MakeIntake = Callable[[frozenset[str]], Intake]
"""Makes the reader of events for a ruleset's stage names."""


class Open:
    """A partition while a batch is applied to it: what was counted, and what the batch has to say."""

    __slots__ = (
        *("base", "counts", "graves", "history", "intake", "part", "partition"),
        *("received", "rules", "snapshots", "told_at", "told_bytes", "topic"),
    )

    def __init__(self, batch: Batch, part: RowPart[Visitor], base: int) -> None:
        self.topic, self.partition = batch.tp.topic, batch.tp.partition
        self.part, self.base, self.graves = part, base, Graveyard(part)
        self.rules: Ruleset
        self.intake: Intake
        self.counts: Counter[str] = Counter()
        self.received: list[int] = []
        self.snapshots: list[Message] = []
        self.told_at: list[int] = []
        self.told_bytes = 0
        self.history = False


class Visitors:
    """The work of two agents. Positions in rows begin with the epoch of their partition of `events`."""

    def __init__(
        self, flow: Flow, table: RowTable[Visitor], topics: Topics, make_intake: MakeIntake, rules: RulesInForce,
        metrics: Metrics,
    ) -> None:  # fmt: skip
        self._flow, self.table, self._topics, self._rules, self._metrics = flow, table, topics, rules, metrics
        self._make_intake = make_intake
        self._intakes: dict[str, Intake] = {}
        self.came_back: Callable[[TP, str], None] = _let_go
        """Hears of a canary at the end of its way."""
        self._anonymous = Anonymous(flow, topics.members, lambda part: self._in_force(part).floor)
        table.opened = self.seed

    async def read_events(self, delivered: Batch) -> None:
        """Apply a delivered batch of `events`; what lies before a switch of rulesets is committed before it."""
        rest = self._flow.accept(delivered)
        while rest is not None:
            part, rest = self.take_events(rest)
            await self._flow.room(part, MAX_CHANGED_ROWS)
            if rest is not None:
                await self._flow.checkpoint.run()
                rest = self._flow.accept(rest) if self._flow.assigned else None

    def take_events(self, batch: Batch) -> tuple[RowPart[Visitor], Batch | None]:
        """Apply a batch of `events`; its outputs are handed on when this returns. Also returns what is left of it.

        It ends before a record that puts a ruleset in force, as long as something before that is not committed.
        """
        part, rest = self.table.open(batch.tp.partition), None
        to = Open(batch, part, self._base(batch.tp))
        self._judge_by(self._editions(part).at(to.base + batch.start), to)
        for record in batch.records:
            if record.headers and is_switch(record.headers):
                index = batch.records.index(record)
                if not index and part.is_behind(batch.tp):
                    return part, batch
                if index:
                    batch, rest = batch.split(index)
                    break
            try:
                self._take(record, to)
            except log.Unreadable as error:
                raise unreadable(batch, record, error) from error
            if to.told_bytes > MAX_TOLD_BYTES and record is not batch.records[-1]:
                batch, rest = batch.split(batch.records.index(record) + 1)
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

    def take_wakes(self, batch: Batch) -> RowPart[Visitor]:
        """Apply a batch of `wakes`."""
        part = self.table.open(batch.tp.partition)
        snapshots = []
        for record in batch.records:
            try:
                answer = self._wake(record, part)
            except log.Unreadable as error:
                raise unreadable(batch, record, error) from error
            if answer is not None:
                snapshots.append(answer)
        if snapshots:
            part.sent(self._flow.outbox.put(self._topics.people, 0, snapshots))
        self._flow.progress[batch.tp].applied = batch.next
        part.done(batch)
        self._metrics.events.labels(batch.tp.topic).inc(len(batch.records))
        return part

    def _wake(self, record: Record, part: RowPart[Visitor]) -> Message | None:
        told = log.decode(record.value or b"")
        if isinstance(told, log.Canary):
            self.came_back(TP(self._topics.events, part.changelog.partition), told.node)
            return None
        if not isinstance(told, log.Wake):
            raise log.Unreadable("no wake")
        key = told.node.encode()
        known = part.get(key)
        row = known or Graveyard(part).wake(key, told.place)
        if row is None:
            return None
        row, snapshot = wake(row, told.node, told.r, self._in_force(part))
        if known is not None or row.erased is None:  # what rises from a grave begins with its first event
            part.put(key, row)
        return Message(None, log.encode(snapshot))

    def tick(self, partition: int, until: int) -> None:
        """Tell `people` that everything received until then has been handed on, and how much of it to accounts."""
        handed = self._anonymous.tick(self.table.open(partition), until)
        told = log.Tick(partition, until, handed if handed < until else None)
        self._flow.outbox.put(self._topics.people, 0, [Message(None, log.encode(told))])
        self._metrics.clock_lag.labels(str(partition)).set(max(0.0, time.time() - until / 1000))

    def forgets(self, part: RowPart[Visitor]) -> bool:
        """Tell whether a partition's ruleset has an idle horizon."""
        return self._in_force(part).idle_horizon_ms < inf

    def forget(self, part: RowPart[Visitor], keys: Iterable[bytes], below: int, until: int) -> int:
        """Remove the rows that lie behind the horizon at `until` (ms) and whose last record is gone from Kafka; return how many.

        `below` is the first offset that is still there: nothing can be read again, so nothing can come that such a row knew.
        """
        rules, gone = self._in_force(part), []
        base = self._base(TP(self._topics.events, part.changelog.partition))
        for key in keys:
            row = part.stored.get(key)
            if row is None or key in part.changed or key.startswith(RULESET_KEY[:1]):
                continue
            if int.from_bytes(row[1:9], "big") < base + below and seems_forgotten(row, until, rules):
                gone.append(key)
        for key in gone:
            self._anonymous.let_go(part, key)
            part.drop(key)
        return len(gone)

    def in_force(self, tp: TP, offset: int) -> Edition | None:
        """Return the edition in force in a partition once `events` is read up to an offset."""
        part = self.table.parts.get(tp.partition)
        if part is None:
            return None
        known = self._editions(part)
        return known.at(self._base(tp) + offset - 1) if tp.topic == self._topics.events else known.newest

    def seed(self, part: RowPart[Visitor]) -> None:
        """Put the worker's own ruleset in force in a partition that is opened for the first time ever."""
        self._anonymous.open(part)
        if RULESET_KEY not in part.stored:
            part.put_raw(RULESET_KEY, self._rules.row())
        self._rules.noted(self._in_force(part))

    def _base(self, tp: TP) -> int:
        return self._flow.base(tp) + 1

    def _editions(self, part: RowPart[Visitor]) -> editions.Editions:
        return self._rules.editions(part.stored[RULESET_KEY])

    def _in_force(self, part: RowPart[Visitor]) -> Ruleset:
        return self._rules.of(self._editions(part).newest)

    def _judge_by(self, edition: Edition, to: Open) -> None:
        to.rules = self._rules.of(edition)
        to.intake = self._intake(to.rules)

    def _own(self, record: Record, to: Open) -> None:
        """Count a record of ours; one that puts a ruleset in force does so exactly here, and a repeat of it nothing."""
        to.counts["own"] += 1
        if RESYNC in record.headers:
            self._say_again(record, to)
        if ERASE in record.headers:
            self._erase(record, to)
        told = new_ruleset(record.value) if is_switch(record.headers) else None
        if told is None:
            return
        known, position = self._editions(to.part), to.base + record.offset
        changed = known.followed_by(Edition(told.place, position, told.text))
        if changed is not known:
            to.part.put_raw(RULESET_KEY, editions.row(changed))
            self._rules.came(changed.newest, f"{to.topic}-{to.partition}", record.offset)
        self._judge_by(changed.at(position), to)

    def _erase(self, record: Record, to: Open) -> None:
        """Erase who belongs here, and say in `people` that it is done."""
        told = erased_by(record.value)
        if told is not None:
            count = self._flow.counts[to.topic]
            own = [key for key in map(str.encode, told.nodes) if partition_of(key, count) == to.partition]
            for key in own:
                row = to.part.get(key)
                if row is not None and row.erased_at < told.place:
                    self._anonymous.let_go(to.part, key)
            done = to.graves.erase(told, own, to.partition, to.base + record.offset)
            to.snapshots.append(Message(None, log.encode(done)))

    def _say_again(self, record: Record, to: Open) -> None:
        """Let the linked visitors of a slice send all they did, and whom they named; behind the last slice say so."""
        if (record.value or b" ")[0] >= FORMATS:
            return  # none of ours
        told, part = log.decode(record.value or b""), to.part
        if not isinstance(told, log.Resync):
            raise log.Unreadable(f"a record that should begin a resync holds a {type(told).__name__}")
        if told.part == 0:
            to.snapshots += [Message(None, log.encode(grave)) for grave in to.graves.all()]
        for key in {**part.stored, **part.changed}:
            if key[:1] != RULESET_KEY[:1] and crc32(key) % told.parts == told.part and _is_listened(part, key):
                row = part.get(key)
                if row is not None:
                    to.snapshots.append(Message(None, log.encode(say_again(row, key.decode()))))
        if told.part == told.parts - 1:
            to.snapshots.append(Message(None, log.encode(log.Settled(told.run, to.partition))))

    def _intake(self, rules: Ruleset) -> Intake:
        intake = self._intakes.get(rules.hash)
        if intake is None:
            stages = frozenset(stage.name for stage in rules.stages)
            intake = self._intakes[rules.hash] = self._make_intake(stages)
        return intake

    def _take(self, record: Record, to: Open) -> None:
        """Make exactly one of own, dead letter, echo, forwarded, duplicate, applied of a record."""
        headers = record.headers
        if headers:
            if has(headers, INTERNAL):
                self._own(record, to)
                return
            to.history = to.history or has(headers, HISTORY)
        event = to.intake.read(record.value, record.timestamp, headers)
        if isinstance(event, Rejected):
            self._refuse(record, event, to)
        elif event.echo:
            to.counts["echo"] += 1
            if (seen := canary.seen(event.node)) is not None:
                to.snapshots.append(Message(None, log.encode(seen)))
        else:
            if event.browser:
                doubt(event, to.rules)
            to.received.append(event.r)
            to.counts[self._apply(record, event.node.encode(), event, to)] += 1

    def _apply(self, record: Record, key: bytes, event: Event, to: Open) -> str:
        part, position = to.part, to.base + record.offset
        row = part.get(key)
        if row is None:  # a row that is here is in the right partition; murmur2 in Python costs what three rows do
            if partition_of(key, self._flow.counts[to.topic]) != to.partition:
                self._forward(record, key, to)
                return "forwarded"
            grave = to.graves.grave(key)
            row = None if grave is None else rise(grave)
        if row is not None:
            if position <= row.position:
                return "duplicate"
            if row.erased is not None and is_erased(row, event.t):
                self._send_letter(to, None, "erased", erased_letter(to.topic, to.partition, record))
                return "dead letter"
        if event.links and to.graves.salt:
            event.links = to.graves.made_since(event)
        headers = record.headers
        forwarded, replayed = (forwarded_from(headers), replayed_from(headers)) if headers else (None, None)
        if forwarded is not None:  # an offset of a recreated topic is newer than those that rows remember
            forwarded = forwarded[0], forwarded[1] + to.base - 1
        was = counted_in(row)
        outcome = apply(row, event, position, to.rules, forwarded, replayed)
        if outcome.row is not None and outcome.verdict == "applied":
            part.put(key, outcome.row)
            to.counts["late"] += outcome.late
            self._anonymous.note(part, key, was, outcome.row)
        if outcome.snapshot is not None:
            told = log.encode(outcome.snapshot)
            to.snapshots.append(Message(None, told))
            to.told_bytes += len(told)
            to.told_at.append(event.r)
        return outcome.verdict

    def _refuse(self, record: Record, why: Rejected, to: Open) -> None:
        self._send_letter(to, record.key, why.reason, dead_letter(to.topic, to.partition, record, why))
        to.received.append(record.timestamp)
        to.counts["dead letter"] += 1

    def _send_letter(self, to: Open, key: bytes | None, reason: str, message: Message) -> None:
        topic = self._topics.dead_letters
        count = self._flow.counts[topic]
        partition = to.partition % count if key is None else partition_of(key, count)
        to.part.sent(self._flow.outbox.put(topic, partition, [message]))
        self._metrics.dead_letters.labels(reason).inc()

    def _forward(self, record: Record, key: bytes, to: Open) -> None:
        found = (FORWARDED, f"{to.partition}:{record.offset}".encode())
        headers = [*((name, value) for name, value in record.headers if name != FORWARDED), found]
        to.part.sent(self._flow.put(to.topic, key, Message(key, record.value, headers, record.timestamp)))

    def _count(self, to: Open) -> None:
        metrics, counts = self._metrics, to.counts
        read = sum(counts[what] for what in ("own", "dead letter", "echo", "forwarded", "duplicate", "applied"))
        metrics.events.labels(to.topic).inc(read)
        for what, counter in (
            ("applied", metrics.applied), ("duplicate", metrics.duplicates), ("echo", metrics.echoes),
            ("own", metrics.own), ("forwarded", metrics.forwarded), ("late", metrics.late),
        ):  # fmt: skip
            if counts[what]:
                counter.inc(counts[what])


def _let_go(_tp: TP, _canary: str) -> None:
    """Let a canary go: nobody waits for it here."""


def _is_listened(part: RowPart[Visitor], key: bytes) -> bool:
    """Tell whether somebody listens to a row, without reading it whole."""
    row = part.changed.get(key)
    return part.stored[key][FLAGS] == 1 if row is None else row.listened
