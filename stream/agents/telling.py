"""What a record of `people` makes: facts and the states they leave, wakes, and records of ours for `events`."""

import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from stream.agents.counting import count_move
from stream.agents.headers import CONTENT_TYPE, INTERNAL, LAG
from stream.agents.topics import Topics
from stream.domain.leads import Out
from stream.ops.metrics import Metrics
from stream.runtime.lanes import Message
from stream.runtime.producer import partition_of

if TYPE_CHECKING:
    from stream.runtime.atomic import AtomicPart
    from stream.runtime.flow import Flow

FACTS, STATES, WAKES = "stage-changes", "lead-states", "wakes"


class Telling:
    """Part of the people's agent: sends what it made, each partition's share at once. Leads by the thousand may be due."""

    def __init__(self, flow: "Flow", topics: Topics, metrics: Metrics) -> None:
        self._flow, self._metrics, self._events = flow, metrics, topics.events
        self._topics = {FACTS: topics.stage_changes, STATES: topics.lead_states, WAKES: topics.wakes}

    def hand_on(self, part: "AtomicPart[Any]", outs: Sequence[Out]) -> None:
        """Send outputs in order; they belong to the next checkpoint."""
        now, shares = int(time.time() * 1000), dict[tuple[str, int], list[Message]]()
        causes: dict[tuple[str, int], list[int]] = {}
        for out in outs:
            to = (self._events, out.partition) if out.partition is not None else self._place(out)
            shares.setdefault(to, []).append(_message(out, now))
            if out.topic == FACTS:
                causes.setdefault(to, []).append(out.cause_ms)
                count_move(self._metrics.stage_changes, out.value or b"")
        for to, messages in shares.items():
            acknowledged = self._flow.outbox.put(*to, messages)
            part.sent(acknowledged)
            if to in causes:
                acknowledged.add_done_callback(partial(self._observe, causes[to]))

    def _place(self, out: Out) -> tuple[str, int]:
        topic = self._topics[out.topic]
        return topic, partition_of(out.key, self._flow.counts[topic])

    def _observe(self, causes: Sequence[int], _: object) -> None:
        now = time.time()
        self._metrics.stage_change_latency.observe_many([max(0.0, now - cause / 1000) for cause in causes])


def _message(out: Out, now: int) -> Message:
    if out.partition is not None:
        return Message(None, out.value, [(INTERNAL, out.own)])
    if out.topic == WAKES:
        return Message(out.key, out.value, [(INTERNAL, b"wake")])
    if out.topic == STATES:
        return Message(out.key, out.value, [CONTENT_TYPE] if out.value is not None else [])
    return Message(out.key, out.value, [CONTENT_TYPE, (LAG, str(max(0, now - out.cause_ms)).encode())])
