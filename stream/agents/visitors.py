"""`events` -> rows of visitors; what somebody listens to goes on to `people`."""

import time
from collections import Counter
from collections.abc import Callable

from schemas.event import Rejected
from stream.agents.dead_letters import dead_letter
from stream.agents.headers import FORWARDED, HISTORY, INTERNAL, forwarded_from, has, replayed_from
from stream.agents.rules import RULESET_KEY, RulesInForce
from stream.agents.topics import Topics
from stream.domain import log
from stream.domain.event import Event
from stream.domain.ruleset.model import Ruleset
from stream.domain.visitor import Visitor, apply, wake
from stream.intake import Intake
from stream.ops.metrics import Metrics
from stream.runtime.batches import Batch, Record
from stream.runtime.flow import Flow
from stream.runtime.lanes import Message
from stream.runtime.producer import partition_of
from stream.runtime.rows import RowPart, RowTable

EPOCH_BITS = 48
MAX_CHANGED_ROWS = 100_000
MakeIntake = Callable[[frozenset[str]], Intake]
"""Makes the reader of events for a ruleset's stage names."""


class Open:
    """A partition while a batch is applied to it: what was counted, and what the batch has to say."""

    __slots__ = ("counts", "history", "intake", "part", "partition", "received", "rules", "snapshots", "told_at", "topic")

    def __init__(self, batch: Batch, part: RowPart[Visitor], rules: Ruleset, intake: Intake) -> None:
        self.topic, self.partition = batch.tp.topic, batch.tp.partition
        self.part, self.rules, self.intake = part, rules, intake
        self.counts: Counter[str] = Counter()
        self.received: list[int] = []
        self.snapshots: list[Message] = []
        self.told_at: list[int] = []
        self.history = False


class Visitors:
    """The work of two agents. `epoch` is the generation of `events`; positions begin with it."""

    def __init__(
        self, flow: Flow, table: RowTable[Visitor], topics: Topics, make_intake: MakeIntake, rules: RulesInForce,
        metrics: Metrics, epoch: int = 0,
    ) -> None:  # fmt: skip
        self._flow, self.table, self._topics, self._rules, self._metrics = flow, table, topics, rules, metrics
        self._make_intake = make_intake
        self._intakes: dict[str, Intake] = {}
        self._base = (epoch << EPOCH_BITS) + 1

    def take_events(self, batch: Batch) -> RowPart[Visitor]:
        """Apply a batch of `events`; its outputs are handed on when this returns."""
        part = self.table.open(batch.tp.partition)
        rules = self._in_force(part)
        to = Open(batch, part, rules, self._intake(rules))
        for record in batch.records:
            self._take(record, to)
        progress = self._flow.progress[batch.tp]
        if to.snapshots:
            back = progress.steps_back(to.told_at)
            if back is not None:
                self.tick(batch.tp.partition, back)
            part.sent(self._flow.outbox.put(self._topics.people, 0, to.snapshots))
        progress.handed_on(batch.next, to.received, int(time.time() * 1000), history=to.history)
        part.received += to.received
        part.done(batch)
        self._count(to)
        return part

    def take_wakes(self, batch: Batch) -> RowPart[Visitor]:
        """Apply a batch of `wakes`."""
        part = self.table.open(batch.tp.partition)
        snapshots = []
        for record in batch.records:
            told = log.decode(record.value or b"")
            if not isinstance(told, log.Wake):
                msg = f"{batch.tp.topic}-{batch.tp.partition} offset {record.offset}: no wake"
                raise log.Unreadable(msg)
            key = told.node.encode()
            row, snapshot = wake(part.get(key), told.node, told.r)
            part.put(key, row)
            snapshots.append(Message(None, log.encode(snapshot)))
        if snapshots:
            part.sent(self._flow.outbox.put(self._topics.people, 0, snapshots))
        self._flow.progress[batch.tp].applied = batch.next
        part.done(batch)
        self._metrics.events.labels(batch.tp.topic).inc(len(batch.records))
        return part

    def tick(self, partition: int, until: int) -> None:
        """Tell `people` that everything received until then has been handed on."""
        self._flow.outbox.put(self._topics.people, 0, [Message(None, log.encode(log.Tick(partition, until)))])
        self._metrics.clock_lag.labels(str(partition)).set(max(0.0, time.time() - until / 1000))

    def _in_force(self, part: RowPart[Visitor]) -> Ruleset:
        stored = part.stored.get(RULESET_KEY)
        if stored is None:
            part.put_raw(RULESET_KEY, self._rules.row())
            return self._rules.own
        return self._rules.of(stored)

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
                to.counts["own"] += 1
                return
            to.history = to.history or has(headers, HISTORY)
        event = to.intake.read(record.value, record.timestamp, headers)
        if isinstance(event, Rejected):
            self._refuse(record, event, to)
        elif event.echo:
            to.counts["echo"] += 1
        else:
            to.received.append(event.r)
            to.counts[self._apply(record, event.node.encode(), event, to)] += 1

    def _apply(self, record: Record, key: bytes, event: Event, to: Open) -> str:
        part, position = to.part, self._base + record.offset
        row = part.get(key)
        if row is None:  # a row that is here is in the right partition; murmur2 in Python costs what three rows do
            if partition_of(key, self._flow.counts[to.topic]) != to.partition:
                self._forward(record, key, to)
                return "forwarded"
        elif position <= row.position:
            return "duplicate"
        headers = record.headers
        forwarded, replayed = (forwarded_from(headers), replayed_from(headers)) if headers else (None, None)
        outcome = apply(row, event, position, to.rules, forwarded, replayed)
        if outcome.row is not None and outcome.verdict == "applied":
            part.put(key, outcome.row)
            to.counts["late"] += outcome.late
        if outcome.snapshot is not None:
            to.snapshots.append(Message(None, log.encode(outcome.snapshot)))
            to.told_at.append(event.r)
        return outcome.verdict

    def _refuse(self, record: Record, why: Rejected, to: Open) -> None:
        topic, message = self._topics.dead_letters, dead_letter(to.topic, to.partition, record, why)
        count = self._flow.counts[topic]
        partition = to.partition % count if record.key is None else partition_of(record.key, count)
        to.part.sent(self._flow.outbox.put(topic, partition, [message]))
        to.received.append(record.timestamp)
        to.counts["dead letter"] += 1
        self._metrics.dead_letters.labels(why.reason).inc()

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
