"""The end of a log over time: since when a record lies there, told from offsets, and by its own timestamp where that fits.

The record was appended between the two points beside it: so no answer, interpolated or by a timestamp between these, is off by
more than the time between them. Points become rarer with age, never by more than a twentieth of it.
"""

from bisect import bisect_left, bisect_right
from operator import itemgetter

APART_MS = 2_000
"""Points need not be closer to each other, but the newest: by these it is told whether a reader has stopped."""
NEWEST_MS = 10_000
OF_AGE = 0.05
TIDY_EVERY = 64
MAX_POINTS = 2_000

_end, _at = itemgetter(1), itemgetter(0)


class LogEnds:
    """The ends of one log, looked at again and again; memory is bounded, a week takes some 300 points."""

    def __init__(self) -> None:
        self._points: list[tuple[int, int]] = []
        self._noted = 0
        self.has_gaps = False
        """Whether there are offsets without a record, as far as is known."""
        self.read_at_ms = float("-inf")
        """When that was looked at."""

    def note(self, end: int, at_ms: int) -> None:
        """Remember an end; a smaller one than before begins anew: the topic was recreated."""
        points = self._points
        if points and end < points[-1][1]:
            points.clear()
        if len(points) > 1 and points[-1][1] == points[-2][1] == end:
            points[-1] = at_ms, end  # while nothing comes, two points say it
        else:
            points.append((at_ms, end))
        self._noted += 1
        if self._noted % TIDY_EVERY == 0:
            self._tidy(at_ms)

    def appended_at(self, offset: int) -> float | None:
        """Return when the record at an offset was appended (ms); None: before the first look, or not yet."""
        beside = self._beside(offset)
        if beside is None:
            return None
        (left, low), (right, high) = beside
        return left + (right - left) * (offset + 0.5 - low) / (high - low)

    def looks_beside(self, offset: int) -> tuple[int, int] | None:
        """Return the moments (ms) of the looks before and after a record came; None: before the first look, or not yet."""
        beside = self._beside(offset)
        return None if beside is None else (beside[0][0], beside[1][0])

    def waits_since(self, offset: int, stamp: float | None) -> float | None:
        """Return since when the record at an offset lies there (ms).

        Its own timestamp says so if it lies between the looks beside it. What was appended before the first look is dated by its
        timestamp too, though not later than that look; None: not known.
        """
        beside = self.looks_beside(offset)
        if beside is not None:
            return stamp if stamp is not None and beside[0] < stamp <= beside[1] else self.appended_at(offset)
        if stamp is None or self.began_at is None:
            return stamp
        return min(stamp, self.began_at)

    def shift(self, step_ms: int) -> None:
        """Hear that the clock was set: what was looked at so long ago is so long ago still."""
        self._points = [(at + step_ms, end) for at, end in self._points]
        self.read_at_ms += step_ms

    @property
    def began_at(self) -> int | None:
        """The moment of the first look."""
        return self._points[0][0] if self._points else None

    def end_at(self, at_ms: float) -> int | None:
        """Return the end at a moment; None: before the first look."""
        after = bisect_left(self._points, at_ms, key=_at)
        if after == len(self._points):
            return self._points[-1][1] if self._points else None
        (right, high) = self._points[after]
        if after == 0:
            return high if right == at_ms else None
        (left, low) = self._points[after - 1]
        return low + round((high - low) * (at_ms - left) / (right - left))

    def _beside(self, offset: int) -> tuple[tuple[int, int], tuple[int, int]] | None:
        after = bisect_right(self._points, offset, key=_end)
        return None if after in {0, len(self._points)} else (self._points[after - 1], self._points[after])

    def __len__(self) -> int:
        return len(self._points)

    def _tidy(self, now_ms: int) -> None:
        """Drop each point whose neighbours are close enough for their age without it."""
        kept: list[tuple[int, int]] = []
        for index, point in enumerate(self._points):
            following = self._points[index + 1] if index + 1 < len(self._points) else None
            is_old = now_ms - point[0] > NEWEST_MS
            if kept and following and is_old and following[0] - kept[-1][0] <= max(APART_MS, OF_AGE * (now_ms - following[0])):
                continue
            kept.append(point)
        self._points = kept[-MAX_POINTS:]
