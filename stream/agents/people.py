"""`people` -> persons and their stages; facts go out, and wakes to those whom somebody listens to."""

import asyncio
import time

from faust.types import TP

from stream.agents.parts import in_parts
from stream.agents.telling import Telling
from stream.agents.to_accounts import ToAccounts
from stream.agents.topics import Topics
from stream.domain.editions import Edition
from stream.domain.log import GoOn, Unreadable, encode, takes_long
from stream.domain.people import People
from stream.ops.metrics import Metrics
from stream.runtime.atomic import AtomicPart, AtomicTable
from stream.runtime.batches import Batch
from stream.runtime.flow import Flow
from stream.runtime.lanes import Message
from stream.runtime.misfits import unreadable

MAX_CUTS = 8
SLICE_S = 0.1
"""After so long the loop must turn: leads by the thousand may be due at one instant."""


class PeopleLog:
    """The agent's work."""

    def __init__(self, flow: Flow, table: AtomicTable[People], topics: Topics, metrics: Metrics) -> None:
        self._flow, self.table, self._metrics = flow, table, metrics
        self._telling = Telling(flow, topics, metrics)
        self._accounts = ToAccounts(flow, topics.members)

    async def read(self, delivered: Batch) -> None:
        """Fold a delivered batch slice by slice, as long as the log is this worker's; the rest is read again by who has it."""
        await in_parts(self._flow, delivered, self.take, MAX_CUTS, before=self._prepared)

    async def _prepared(self, batch: Batch) -> bool:
        """Set the timers of all leads for a ruleset to come, while others work; tell whether the log is still this worker's."""
        if not batch.records or not takes_long(batch.records[0].value or b""):
            return True
        record = batch.records[0]
        offset = self._flow.base(batch.tp) + record.offset
        try:
            for _ in self.table.open(batch.tp.partition).fold.prepare(offset, record.value or b""):
                await asyncio.sleep(0)
                self._flow.prepared += 1
                if not self._flow.assigned:
                    return False
        except Unreadable:
            pass  # said when it is applied
        return True

    def in_force(self, tp: TP, offset: int) -> Edition | None:
        """Return the edition in force once the log is read up to an offset."""
        part = self.table.parts.get(tp.partition)
        return None if part is None else part.fold.in_force.editions.read_up_to(self._flow.base(tp) + offset)

    def take(self, batch: Batch) -> tuple[AtomicPart[People], Batch | None]:
        """Fold a batch for a moment; its outputs are handed on when this returns. Also returns what is left of it."""
        part = self.table.open(batch.tp.partition)
        fold, rest, began, base = part.fold, None, time.perf_counter(), self._flow.base(batch.tp)
        for index, record in enumerate(batch.records):
            value = record.value or b""
            if index and (time.perf_counter() - began > SLICE_S or takes_long(value)):
                batch, rest = batch.split(index)
                break
            part.cut_for(len(value))
            try:
                done = fold.apply_part(base + record.offset, value)
            except Unreadable as error:
                raise unreadable(batch, record, error) from error
            if not done:  # so much is due that the loop must turn, and rows be written
                batch, rest = batch.split(index)
                break
        if fold.out:
            self._telling.hand_on(part, fold.take_out())
        self._accounts.hand_on(part)
        if fold.waits and rest is None:  # what is due need not wait for a tick, which comes twice a second
            self._flow.outbox.put(batch.tp.topic, batch.tp.partition, [Message(None, encode(GoOn()))])
        self._flow.progress[batch.tp].applied = batch.next
        if batch.records or rest is None:
            part.done(batch)
        self._metrics.events.labels(batch.tp.topic).inc(len(batch.records))
        return part, rest
