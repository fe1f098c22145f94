"""What is asked less often than it is measured, and must not hold a measurement up."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Aside(Generic[T]):
    """Does some work again when its result is old: the first result is waited for, later ones are taken when they are there.

    Args:
        work: what is done; its errors are raised by `newest`.
        every_s: how old a result may become before it is done again.
    """

    def __init__(self, work: Callable[[], Awaitable[T]], every_s: float) -> None:
        self._work, self._every_s = work, every_s
        self._known: list[T] = []
        self._at = float("-inf")
        self._task: asyncio.Future[T] | None = None

    async def newest(self) -> T:
        """Return the newest result."""
        if self._task is None and time.monotonic() - self._at >= self._every_s:
            self._task = asyncio.ensure_future(self._work())
            self._at = time.monotonic()
        if self._task is not None and (self._task.done() or not self._known):
            task, self._task = self._task, None
            self._known = [await task]
        return self._known[0]

    async def close(self) -> None:
        """End what goes on."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
