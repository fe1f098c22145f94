"""Takes rows behind the idle horizon out of memory and changelog, a slice at a time.

Mere housekeeping: what comes for such a row begins a new one in any case (`stream.domain.visitor.is_forgotten`).
"""

import asyncio
import logging
from typing import Any, cast

from aiokafka.errors import KafkaError
from faust.types import TP
from mode import Service

from stream.agents.visitors import Visitors
from stream.runtime.flow import Flow

log = logging.getLogger(__name__)
ANSWER_S = 5.0
REST_S = 10.0
"""Between two looks at what Kafka has deleted."""
DAY_MS = 86_400_000
SLICE, EVERY_S = 500, 0.25
"""Rows looked at between two breaths: 2,000 a second, a million in eight minutes, for 0.2 % of a core."""


class Forgetting(Service):
    """Runs from the start of the app to its end."""

    def __init__(self, flow: Flow, visitors: Visitors, events: str, **kwargs: Any) -> None:
        self._flow, self._visitors, self._events = flow, visitors, events
        self._looked: dict[TP, tuple[int, int]] = {}
        """The first offset that Kafka had, and how far ticks were (ms), when a partition was last looked through."""
        super().__init__(**kwargs)

    @Service.task
    async def _rounds(self) -> None:
        while not self.should_stop:
            await self.sleep(REST_S)
            if self.should_stop:
                return
            held = {tp for tp in self._flow.running if tp.topic == self._events}
            try:
                async with asyncio.timeout(ANSWER_S):  # the consumer may be stopping
                    first = await self._flow.beginnings(held)
            except (KafkaError, TimeoutError) as cause:
                log.warning("how far events were deleted could not be asked: %r", cause)
                continue
            for tp, below in first.items():
                told = self._told(tp)
                if self._may_let_go(tp, below, told) and await self._round(tp, below):
                    self._looked[tp] = below, told

    def _may_let_go(self, tp: TP, below: int, told: int) -> bool:
        """Tell whether a row may go that could not last time: by what Kafka has deleted, or by a day that has passed."""
        was_below, was_told = self._looked.get(tp, (0, 0))
        return below > was_below or (below > 0 and told - was_told > DAY_MS)

    def _told(self, tp: TP) -> int:
        progress = self._flow.progress.get(tp)
        return 0 if progress is None else progress.told or 0

    async def _round(self, tp: TP, below: int) -> bool:
        """Look at every row of a partition once; tell whether it was this worker's all the time."""
        removed, part = 0, self._visitors.table.parts.get(tp.partition)
        keys = [] if part is None or not self._visitors.forgets(part) else list(part.stored)
        for at in range(0, len(keys), SLICE):
            await self.sleep(EVERY_S)
            holds = self._flow.assigned and tp in self._flow.running and self._visitors.table.parts.get(tp.partition) is part
            until = self._flow.progress[tp].told if holds else None
            if self.should_stop or until is None:
                return False
            removed += self._visitors.forget(cast("Any", part), keys[at : at + SLICE], below, until)
        if removed:
            log.info("%s-%d: %d visitors behind the idle horizon removed", tp.topic, tp.partition, removed)
        return True
