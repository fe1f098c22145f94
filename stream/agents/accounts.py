"""`members` -> accounts and their stages; facts go out."""

import time
from functools import partial

from faust.types import TP

from stream.agents.counting import count_move
from stream.agents.headers import CONTENT_TYPE, LAG
from stream.agents.parts import in_parts
from stream.agents.topics import Topics
from stream.domain.accounts.fold import Accounts
from stream.domain.editions import Edition
from stream.domain.leads import Out
from stream.domain.log import Unreadable
from stream.ops.metrics import Metrics
from stream.runtime.atomic import AtomicPart, AtomicTable
from stream.runtime.batches import Batch
from stream.runtime.flow import Flow
from stream.runtime.lanes import Message
from stream.runtime.misfits import unreadable

MAX_CUTS = 8
SLICE_S = 0.1
"""After so long the loop must turn."""


class AccountsLog:
    """The agent's work."""

    def __init__(self, flow: Flow, table: AtomicTable[Accounts], topics: Topics, metrics: Metrics) -> None:
        self._flow, self.table, self._metrics, self._changes = flow, table, metrics, topics.account_changes

    async def read(self, delivered: Batch) -> None:
        """Fold a delivered batch slice by slice."""
        await in_parts(self._flow, delivered, self.take, MAX_CUTS)

    def in_force(self, tp: TP, _offset: int) -> Edition | None:
        """Return the edition in force in a partition."""
        part = self.table.parts.get(tp.partition)
        return None if part is None else part.fold.in_force.editions.newest

    def take(self, batch: Batch) -> tuple[AtomicPart[Accounts], Batch | None]:
        """Fold a batch for a moment; its outputs are handed on when this returns. Also returns what is left of it."""
        part = self.table.open(batch.tp.partition)
        fold, rest, began, base = part.fold, None, time.perf_counter(), self._flow.base(batch.tp)
        for index, record in enumerate(batch.records):
            if index and time.perf_counter() - began > SLICE_S:
                batch, rest = batch.split(index)
                break
            value = record.value or b""
            part.cut_for(len(value))
            try:
                done = fold.apply_part(base + record.offset, value)
            except Unreadable as error:
                raise unreadable(batch, record, error) from error
            if fold.out:
                self._hand_on(part, fold.out)
                fold.out.clear()
            if not done:  # so much is due that the loop must turn, and rows be written
                batch, rest = batch.split(index)
                break
        self._flow.progress[batch.tp].applied = batch.next
        if batch.records or rest is None:
            part.done(batch)
        self._metrics.events.labels(batch.tp.topic).inc(len(batch.records))
        return part, rest

    def _hand_on(self, part: AtomicPart[Accounts], outs: list[Out]) -> None:
        now = int(time.time() * 1000)
        for out in outs:
            headers = [CONTENT_TYPE, (LAG, str(max(0, now - out.cause_ms)).encode())]
            acknowledged = self._flow.put(self._changes, out.key, Message(out.key, out.value, headers))
            part.sent(acknowledged)
            count_move(self._metrics.account_changes, out.value or b"")
            acknowledged.add_done_callback(partial(self._observe, out.cause_ms))

    def _observe(self, cause_ms: int, _: object) -> None:
        self._metrics.account_change_latency.observe_many([max(0.0, time.time() - cause_ms / 1000)])
