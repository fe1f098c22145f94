"""How far each source partition has certainly been handed on: the T of the ticks."""

from collections import deque
from collections.abc import Iterable

MARGIN_MS = 1000
RECENT = 1000
HISTORY_MS = 60_000
KEPT = 10_000
SPACING_MS = 100
"""Answers that prove a later position are kept at most so often."""


class Progress:
    """One source partition. Times are milliseconds; `applied` is the position behind what was handed on.

    T = the newest moment at which a fetch request left whose answer's high watermark has been applied, or the smallest
    receive time of the last 1,000 records, whichever is later, less 1 s. For 60 s after a record of a history only the
    latter counts. Up to `end` somebody may have been before: what was known there is known again when `applied` is.
    """

    def __init__(self, applied: int, history_until: int = 0, end: int = 0) -> None:
        self.applied, self.end = applied, end
        self.history_until = history_until
        self._answers: deque[tuple[int, int]] = deque(maxlen=KEPT)
        self._recent: deque[int] = deque(maxlen=RECENT)
        self._told: int | None = None

    @property
    def behind(self) -> int:
        """How many records lie before the end that there was when it was taken over, at most."""
        return max(0, self.end - self.applied)

    @property
    def told(self) -> int | None:
        """The T of the newest tick."""
        return self._told

    def answered(self, highwater: int, sent_ms: int) -> None:
        """Hear of a fetch answer: all that the broker had at `sent_ms` lies below `highwater`. Called by the consumer thread."""
        last = self._answers[-1] if self._answers else None
        if last is not None and sent_ms < last[1]:  # a clock that was ahead is set right: what it dated later proves nothing
            self._answers = deque((one for one in list(self._answers) if one[1] <= sent_ms), maxlen=KEPT)
            last = None
        if last is None or sent_ms - last[1] >= SPACING_MS or last[0] == highwater:
            self._answers.append((highwater, sent_ms))

    def steps_back(self, received: Iterable[int]) -> int | None:
        """Return the T to send before records received at these times are handed on; None if the last one sent still holds."""
        earliest = min(received, default=None)
        if earliest is None or (self._told is not None and earliest > self._told):
            return None
        self._told = earliest - 1
        return self._told

    def handed_on(self, position: int, received: list[int], now_ms: int, *, history: bool) -> None:
        """Remember that records received at these times are handed on, up to `position`."""
        self.applied = position
        self._recent.extend(received[-RECENT:])
        if history:
            self.history_until = now_ms + HISTORY_MS

    def until(self, now_ms: int) -> int | None:
        """Return the T to send now; None while nothing is known."""
        known = []
        self.history_until = min(self.history_until, now_ms + HISTORY_MS)  # a clock may have been ahead
        if self._recent:
            known.append(min(self._recent))
        answers, proven = self._answers, None
        while answers and answers[0][0] <= self.applied:
            proven = answers.popleft()
        if proven is not None:
            answers.appendleft(proven)
            if now_ms >= self.history_until:
                known.append(proven[1])
        if not known:
            return None
        self._told = max(known) - MARGIN_MS
        return self._told
