"""Sends a canary through each partition now and then, and measures how long the whole way takes."""

import secrets
import time
from functools import partial
from typing import Any

import orjson
from faust.types import TP
from mode import Service

from stream.agents.visitors import Visitors
from stream.domain import canary
from stream.ops.metrics import Metrics
from stream.runtime.flow import Flow
from stream.runtime.lanes import Message
from stream.runtime.producer import partition_of

MOST = 20
"""So many of a partition are waited for; no more are sent meanwhile."""


class Canaries(Service):
    """Runs from the start of the app to its end; only for partitions that are this worker's, so that it sees them come back."""

    def __init__(self, flow: Flow, visitors: Visitors, events: str, metrics: Metrics, every_s: float, **kwargs: Any) -> None:
        self._flow, self._events, self._metrics, self._every_s = flow, events, metrics, every_s
        self._sent: dict[int, dict[str, float]] = {}
        visitors.came_back = self.back
        super().__init__(**kwargs)

    @Service.task
    async def _rounds(self) -> None:
        while not self.should_stop:
            await self.sleep(self._every_s)
            if self._flow.ready and not self.should_stop:
                self.send()

    def send(self) -> None:
        """Send one through each partition held here."""
        held = {tp.partition for tp in self._flow.running if tp.topic == self._events}
        for gone in self._sent.keys() - held:
            del self._sent[gone]
            self._metrics.canary_waiting.remove(str(gone))
        for partition in held:
            waiting = self._sent.get(partition)
            if waiting is None:
                waiting = self._sent[partition] = {}
                self._metrics.canary_waiting.labels(str(partition)).set_function(partial(_age, waiting))
            if len(waiting) < MOST:
                name = name_for(partition, self._flow.counts[self._events])
                waiting[canary.node_of(name)] = time.monotonic()
                self._metrics.canaries.labels(str(partition)).inc()
                event = Message(canary.node_of(name).encode(), orjson.dumps(canary.event_of(name)))
                self._flow.outbox.put(self._events, partition, [event])

    def back(self, tp: TP, node: str) -> None:
        """Hear that one came back; those sent before this process began are nobody's."""
        sent_at = self._sent.get(tp.partition, {}).pop(node, None)
        if sent_at is not None:
            self._metrics.canaries_back.labels(str(tp.partition)).inc()
            self._metrics.canary_latency.observe_many([time.monotonic() - sent_at])


def _age(waiting: dict[str, float]) -> float:
    """Return how long the oldest is waited for (s)."""
    return time.monotonic() - min(waiting.values()) if waiting else 0.0


def name_for(partition: int, partitions: int) -> str:
    """Return a new canary's name whose identity belongs to a partition of `events`, and so of `wakes`."""
    while True:
        name = secrets.token_hex(8)
        if partition_of(canary.node_of(name).encode(), partitions) == partition:
            return name
