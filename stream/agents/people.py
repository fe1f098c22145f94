"""`people` -> persons and their stages; facts go out, and wakes to those whom somebody listens to."""

import time
from collections.abc import Sequence
from functools import partial

import orjson

from stream.agents.headers import CONTENT_TYPE, INTERNAL, LAG
from stream.agents.topics import Topics
from stream.domain.leads import Out
from stream.domain.people import People
from stream.ops.metrics import Metrics
from stream.runtime.atomic import AtomicPart, AtomicTable
from stream.runtime.batches import Batch
from stream.runtime.flow import Flow
from stream.runtime.lanes import Message

MAX_CUTS = 8


class PeopleLog:
    """The agent's work."""

    def __init__(self, flow: Flow, table: AtomicTable[People], topics: Topics, metrics: Metrics) -> None:
        self._flow, self.table, self._metrics = flow, table, metrics
        self._topics = {"stage-changes": topics.stage_changes, "lead-states": topics.lead_states, "wakes": topics.wakes}

    def take(self, batch: Batch) -> AtomicPart[People]:
        """Fold a batch; its outputs are handed on when this returns."""
        part = self.table.open(batch.tp.partition)
        fold = part.fold
        for record in batch.records:
            value = record.value or b""
            part.cut_for(len(value))
            fold.apply(record.offset, value)
            if fold.out:
                self._hand_on(part, fold.out)
                fold.out.clear()
        self._flow.progress[batch.tp].applied = batch.next
        part.done(batch)
        self._metrics.events.labels(batch.tp.topic).inc(len(batch.records))
        return part

    def _hand_on(self, part: AtomicPart[People], outs: Sequence[Out]) -> None:
        now = int(time.time() * 1000)
        for out in outs:
            acknowledged = self._flow.put(self._topics[out.topic], out.key, _message(out, now))
            part.sent(acknowledged)
            if out.topic == "stage-changes":
                self._count(out)
                acknowledged.add_done_callback(partial(self._observe, out.cause_ms))

    def _observe(self, cause_ms: int, _: object) -> None:
        self._metrics.stage_change_latency.observe_many([max(0.0, time.time() - cause_ms / 1000)])

    def _count(self, out: Out) -> None:
        fact = orjson.loads(out.value or b"{}")
        if fact.get("type") == "lead.stage_changed.v1":
            stage, reason = fact["data"]["stage"], fact["data"]["reason"]["code"]
            self._metrics.stage_changes.labels(stage["from"]["name"], stage["to"]["name"], reason).inc()


def _message(out: Out, now: int) -> Message:
    if out.topic == "wakes":
        return Message(out.key, out.value, [(INTERNAL, b"wake")])
    if out.topic == "lead-states":
        return Message(out.key, out.value, [CONTENT_TYPE] if out.value is not None else [])
    return Message(out.key, out.value, [CONTENT_TYPE, (LAG, str(max(0, now - out.cause_ms)).encode())])
