"""The lag as this worker sees it: measured now and then for the metrics, and on demand for `/v1/lag`."""

import asyncio
import logging
import time
from typing import Any

from aiokafka.errors import KafkaError
from mode import Service

from stream.errors import CommandError
from stream.ops.lag import Report
from stream.ops.meter import LagMeter
from stream.ops.reader import Known
from stream.settings import Settings

log = logging.getLogger(__name__)
EVERY_S = 0.5
"""How often it is looked; in between also when a partition that has committed nothing by then has stopped."""
AGAIN_S = 10.0
"""After a measurement that failed."""
FRESH_S = 0.5
"""A measurement younger than this is told again."""


class Lagging(Service):
    """Keeps the newest report, also while the next is made; a failed measurement leaves none.

    What hinders single partitions is no failure: the others are told, and the log names it.
    """

    def __init__(self, settings: Settings, **kwargs: Any) -> None:
        self._settings = settings
        self._meter: LagMeter | None = None
        self._known = Known()
        self._measuring = asyncio.Lock()
        self._at = float("-inf")
        self._said: dict[str, str] = {}
        self.report = Report()
        super().__init__(**kwargs)

    async def measure(self) -> Report:
        """Return a report of the last second; raises CommandError or KafkaError."""
        async with self._measuring:
            if time.monotonic() - self._at > FRESH_S or self.report.due_ms < time.time() * 1000:
                self.report = await self._measured()
                self._at = time.monotonic()
            return self.report

    async def _measured(self) -> Report:
        try:
            report = await (await self._connected()).measure()
        except (CommandError, KafkaError):
            self.report, self._at = Report(), float("-inf")
            await self._hang_up()
            raise
        self._say(report.notes)
        return report

    def _say(self, notes: dict[str, str]) -> None:
        """Log what hinders partitions, or us, once, and when it is over."""
        for place, note in notes.items():
            if self._said.get(place) != note:
                log.warning("%s: %s", place, note)
        for place in self._said.keys() - notes.keys():
            log.info("%s: its lag is told again as before", place)
        self._said = notes

    async def _connected(self) -> LagMeter:
        if self._meter is None:
            self._meter = await LagMeter(self._settings, self._known).__aenter__()
        return self._meter

    @Service.task
    async def _now_and_then(self) -> None:
        while not self.should_stop:
            try:
                rest_s = (await self.measure()).rest_s(EVERY_S, time.time() * 1000)
            except (CommandError, KafkaError) as error:
                log.warning("the lag could not be measured: %s", error)
                rest_s = AGAIN_S
            await self.sleep(rest_s)

    async def on_shutdown(self) -> None:
        """Hang up, once nobody measures any more: a consumer that is stopped while it is asked raises."""
        await self._hang_up()

    async def _hang_up(self) -> None:
        meter, self._meter = self._meter, None
        if meter is not None:
            await meter.__aexit__()
