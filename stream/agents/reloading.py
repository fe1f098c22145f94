"""Looking at the ranges file from time to time: whoever edits it need not restart anything."""

from typing import Any

from mode import Service

from stream.lookups import Lookups
from stream.runtime.rereading import look

EVERY_S = 2.0


class Reloading(Service):
    """Reads the ranges again when their file changed, in a thread of its own."""

    def __init__(self, lookups: Lookups, **kwargs: Any) -> None:
        self._lookups = lookups
        super().__init__(**kwargs)

    @Service.task
    async def _look(self) -> None:
        while not self.should_stop:
            await self.sleep(EVERY_S)
            await look("ranges", self._lookups.reload)
