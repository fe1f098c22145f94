"""How long a checkpoint may take: as long as Kafka acknowledges something, however slowly."""

import asyncio
import time
from collections.abc import Callable
from math import inf

LONG_S = 5.0
"""A checkpoint that lasts longer waits for a slow Kafka."""


class Deadline:
    """Ends what waits for Kafka once that has been silent for `limit_s`: an idempotent aiokafka producer retries for ever.

    Kafka is not silent before `told_until()`: it has told us to wait.
    """

    def __init__(self, limit_s: float, told_until: Callable[[], float] = lambda: -inf) -> None:
        self._limit_s, self._told_until = limit_s, told_until
        self._long_at = inf
        self.moved_at = 0.0
        """`time.monotonic()` when Kafka has acknowledged something last."""
        self.written = 0
        """How often Kafka has acknowledged rows of checkpoints that last long: they go on."""

    def goes_on(self) -> None:
        """Note that Kafka has acknowledged something."""
        self.moved_at = time.monotonic()

    def wrote(self) -> None:
        """Note that Kafka has acknowledged rows."""
        self.goes_on()
        self.written += self.moved_at > self._long_at

    def lasts_long(self, now: float) -> bool:
        """Tell whether what is being held, if anything is, waits for a slow Kafka."""
        return now > self._long_at

    async def hold(self, run: "asyncio.Task[bool]") -> bool:
        """Return what a checkpoint returns; cancels it and raises `TimeoutError` where Kafka is silent for too long."""
        self.goes_on()
        self._long_at = self.moved_at + LONG_S
        while not run.done():
            left_s = max(self.moved_at, self._told_until()) + self._limit_s - time.monotonic()
            if left_s <= 0:
                run.cancel()
                msg = f"Kafka has acknowledged nothing for {self._limit_s:g} s"
                raise TimeoutError(msg)
            await asyncio.wait({run}, timeout=left_s)
        return run.result()
