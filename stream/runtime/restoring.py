"""How far a recovery is: for the log and for who asks whether the worker is ready."""

import time
from collections.abc import Callable

TELL_S = 2.0
"""How often the log hears of it."""
WIDTH = 20


class Restoring:
    """One recovery of `total` changelog records; compaction leaves fewer rows than that.

    `done` says how many are left behind, by the positions in the changelogs. `clock` is `time.monotonic`.
    """

    def __init__(self, total: int, remaining: Callable[[], int], clock: Callable[[], float] = time.monotonic) -> None:
        self.total, self.rows = total, 0
        self._remaining, self._clock = remaining, clock
        self._began = clock()

    @property
    def done(self) -> int:
        """How many records are left behind."""
        return max(0, self.total - self._remaining())

    @property
    def percent(self) -> float:
        """How much of it is done."""
        return round(100 * self.done / self.total, 1) if self.total else 100.0

    @property
    def per_second(self) -> float:
        """Rows a second since it began."""
        return self.rows / max(self._clock() - self._began, 1e-3)

    @property
    def seconds_left(self) -> float | None:
        """How long the rest takes at the pace so far; None: nothing came yet."""
        done = self.done
        return round((self._clock() - self._began) / done * (self.total - done), 1) if done else None

    def document(self) -> dict[str, float | int | None]:
        """Return what `/health/ready` says of it."""
        return {
            "done": self.done, "total": self.total, "rows": self.rows, "percent": self.percent,
            "rowsPerSecond": round(self.per_second), "secondsLeft": self.seconds_left,
        }  # fmt: skip

    def line(self) -> str:
        """Return what the log says of it.

        >>> half = Restoring(200, lambda: 100, iter((0.0, 2.0, 2.0)).__next__)
        >>> half.rows = 90
        >>> half.line()
        'restoring [##########..........] 50 %, 90 rows, 45 rows/s, 2 s left'
        """
        full = int(WIDTH * self.percent / 100)
        bar, left = "#" * full + "." * (WIDTH - full), self.seconds_left
        rest = "waiting for the first" if left is None else f"{left:.0f} s left"
        return f"restoring [{bar}] {self.percent:.0f} %, {self.rows:,} rows, {self.per_second:,.0f} rows/s, {rest}"
