"""What a worker does beside the agents: ticks, rows wanted soon, the second-writer check, its membership, the watchdog."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from aiokafka.errors import KafkaError
from faust.types import TP
from mode import Service

from stream.runtime.changelog import CHECK_S
from stream.runtime.fatal import Misfit, SecondWriter, die
from stream.runtime.flow import Flow
from stream.runtime.work import Part

log = logging.getLogger(__name__)
TICK_S = 0.4
SOON_S = 0.25
"""How often what is wanted soon is written: an eighth of the time in which it must be there."""
MEMBER_S = 1.0


class Duties(Service):
    """Runs from the start of the app to its end.

    `tick(tp, until_ms)` is called for each partition of `ticking`. What `soon` gives is not left to the next checkpoint.
    """

    def __init__(
        self, flow: Flow, ticking: str, tick: Callable[[TP, int], None], soon: Callable[[], Sequence[Part]], **kwargs: Any
    ) -> None:
        self._flow, self._ticking, self._tick, self._soon = flow, ticking, tick, soon
        super().__init__(**kwargs)

    def on_init_dependencies(self) -> list[Any]:
        """Start the watchdog with us."""
        return [self._flow.watchdog]

    @Service.task
    async def _ticks(self) -> None:
        while not self.should_stop:
            await self.sleep(TICK_S)
            now = int(time.time() * 1000)
            for tp in [tp for tp in self._flow.running if tp.topic == self._ticking]:
                until = self._flow.progress[tp].until(now)
                if until is not None:
                    self._tick(tp, until)

    @Service.task
    async def _writes_soon(self) -> None:
        while not self.should_stop:
            await self.sleep(SOON_S)
            if self._has_time() and self._soon():
                await self._flow.checkpoint.write(self._soon)

    def _has_time(self) -> bool:
        """Tell whether nothing else is to be written first: a stop, a revocation and a checkpoint are not kept waiting."""
        flow = self._flow
        return flow.assigned and not flow.app.should_stop and not flow.checkpoint.lock.locked()

    @Service.task
    async def _second_writers(self) -> None:
        while not self.should_stop:
            await self.sleep(CHECK_S)
            try:
                await self._flow.changelogs.check(self._flow.checkpoint.lock, self._owned)
            except (SecondWriter, Misfit) as cause:
                die(cause)
            except (KafkaError, TimeoutError) as cause:
                log.warning("the ends of the changelogs could not be asked: %r", cause)

    @Service.task
    async def _membership(self) -> None:
        while not self.should_stop:
            await self.sleep(MEMBER_S)
            if self.should_stop:
                return
            try:
                await self._flow.consumer.check_membership()
            except (KafkaError, Misfit) as cause:
                die(cause)

    def _owned(self) -> set[TP]:
        return {changelog for tp in self._flow.running if (changelog := self._flow.changelog_of(tp)) is not None}
