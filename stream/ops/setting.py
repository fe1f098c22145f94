"""When this machine's clock was set: ages are told by it, and must not jump with it."""

import time
from collections.abc import Callable
from contextlib import suppress

LEAST_MS = 300
"""A smaller difference is left to grow: two clocks are never read at once."""


def _since_boot() -> float:
    """Return seconds by a clock that nobody sets, and that goes on while the machine sleeps, where there is one."""
    with suppress(AttributeError, OSError):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class Setting:
    """Compares the two clocks.

    Args:
        wall, steady: tell the time (s).

    >>> seconds = iter([100.0, 0.0, 101.0, 1.0, 71.9, 2.0, 72.9, 3.0])
    >>> clocks = Setting(lambda: next(seconds), lambda: next(seconds))
    >>> clocks.step_ms(), clocks.step_ms(), clocks.step_ms()
    (0, -30100, 0)
    """

    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = _since_boot) -> None:
        self._wall, self._steady = wall, steady
        self._apart_s = wall() - steady()

    def step_ms(self) -> int:
        """Return by how much the clock was set since the last call."""
        apart_s = self._wall() - self._steady()
        step_ms = round((apart_s - self._apart_s) * 1000)
        if abs(step_ms) < LEAST_MS:
            return 0
        self._apart_s = apart_s
        return step_ms
