"""A lead's score: fit + interest + timing, each kept apart, and the ledger that explains every number."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from stream.domain import curves
from stream.domain.crossing import END, MARGIN, first_below
from stream.domain.curves import Curve
from stream.domain.ruleset.model import Bound, Bounds, Idle, Ruleset

LETTERS = "ABCD"
PARTS = ("interest", "fit", "timing", "total")
CURVED = ("interest", "timing", "total")
"""What time alone changes."""


class Explained(msgspec.Struct, frozen=True, gc=False):
    """A row of the ledger: `points` that `count` events (or conditions, or idle periods) make."""

    rule: str
    count: int
    points: float


class Score(Protocol):
    """A score as a function of time, if no event comes."""

    def holds(self, bounds: Bounds, at: int) -> bool:
        """Tell whether every bound is reached at `at` (ms)."""

    def falls(self, bounds: Bounds, at: int, periods: int | None = None) -> bool:
        """Tell whether any bound is missed at `at`; `periods` overrides how many idle ones are full."""

    def first_fall(self, bounds: Bounds, start: int) -> int | None:
        """Return the first ms from `start` on at which any bound is missed; None where that never comes."""

    def periods(self, at: int) -> int:
        """Return how many idle periods are full at `at`."""


@dataclass(slots=True)
class Outlook:
    """A score as a function of time, if no event comes: two decaying curves from `base`, the idle condition, and constants."""

    base: int
    rules: Ruleset
    fit: float = 0.0
    grade: str = "D"
    identified: bool = True
    interest: Curve = field(default_factory=dict)
    timing: Curve = field(default_factory=dict)
    active: int = -1
    likely: int = -1
    """An instant at which something probably falls, a timer's: two looks show it, where solving takes some a bound."""
    _known: tuple[int, float] = field(default=(-1, 0.0), init=False, repr=False, compare=False)  # asked for thrice at an event

    def periods(self, at: int) -> int:
        """Return the number of full idle periods up to `at`."""
        idle = self.rules.idle
        if idle is None or self.active < 0:
            return 0
        return max(0, (at - self.active) // idle.after_ms)

    def _idle_points(self, periods: int) -> float:
        return self.rules.idle.points * periods if self.rules.idle is not None else 0.0

    def interest_at(self, at: int, periods: int | None = None) -> float:
        """Return the interest at `at`, never below the floor; `periods` overrides the idle condition's."""
        if periods is None and self._known[0] == at:
            return self._known[1]
        idle = self._idle_points(self.periods(at) if periods is None else periods)
        interest = max(self.rules.floor, curves.value(self.interest, self.base, at) + idle)
        if periods is None:
            self._known = at, interest
        return interest

    @property
    def only_falls(self) -> bool:
        """Whether the score can but fall: no negative part fades before a positive one."""
        parts = [*self.interest.items(), *self.timing.items()]
        if any(v < 0 for v in self.timing.values()) or (self.rules.floor < 0 and any(v < 0 for v in self.interest.values())):
            return False  # a sum below nothing rises again
        soonest = min([h for h, v in parts if v < 0], default=None)
        return soonest is None or all(h <= soonest for h, v in parts if v > 0)

    def part(self, key: str, at: int, periods: int | None = None) -> float:
        """Return interest, fit, timing or total at `at`."""
        if key == "interest":
            return self.interest_at(at, periods)
        if key == "fit":
            return self.fit
        timing = curves.value(self.timing, self.base, at)
        return timing if key == "timing" else self.interest_at(at, periods) + self.fit + timing

    def holds(self, bounds: Bounds, at: int) -> bool:
        """Tell whether every bound is reached at `at` (numbers: at least, less 1e-9; grade: at least)."""
        return not self.falls(bounds, at)

    def falls(self, bounds: Bounds, at: int, periods: int | None = None) -> bool:
        """Tell whether any bound is missed at `at`: an exit holds."""
        for key, bound in bounds.items():  # noqa: SIM110 - asked at every event; a generator costs as much as the answer
            if self.below(key, bound, at, periods):
                return True
        return False

    def below(self, key: str, bound: Bound, at: int, periods: int | None = None) -> bool:
        """Tell whether one part is below its bound."""
        if key == "interest":  # nearly always: asked six times at a change of a stage
            return self.interest_at(at, periods) < float(bound) - MARGIN
        if key == "grade":
            return LETTERS.index(self.grade) > LETTERS.index(str(bound))
        if key == "identified":
            return self.identified is not bound
        return self.part(key, at, periods) < float(bound) - MARGIN

    def first_fall(self, bounds: Bounds, start: int) -> int | None:
        """Return the first ms from `start` on at which any bound is missed; None where that never comes."""
        if self.falls(bounds, start):
            return start
        if start < self.likely and self._falls_first(bounds, self.likely):
            return self.likely
        for a, b in self._stretches(bounds, start):
            if a > start and self.falls(bounds, a):  # at `start` they are not missed
                return a
            falls = [self._fall(key, float(x), a, b) for key, x in bounds.items() if key in CURVED]
            found = min([t for t in falls if t is not None], default=None)
            if found is not None:
                return found
        return None

    def _falls_first(self, bounds: Bounds, at: int) -> bool:
        return self.only_falls and self.falls(bounds, at) and not self.falls(bounds, at - 1)

    def _fall(self, key: str, threshold: float, a: int, b: int) -> int | None:
        """Find the fall of one part within [a, b), where the idle condition is constant."""
        idle, floor = self._idle_points(self.periods(a)), self.rules.floor
        if key == "timing":
            return first_below(self.timing, self.base, threshold, a, b)
        if key == "interest":
            return None if floor >= threshold - MARGIN else first_below(self.interest, self.base, threshold - idle, a, b)
        joined = _sum(self.interest, self.timing)
        while True:  # the floor makes a total the greater of two sums: it is below when both are
            over = first_below(joined, self.base, threshold - self.fit - idle, a, b)
            if over is None:
                return None
            on_floor = first_below(self.timing, self.base, threshold - self.fit - floor, over, b)
            if on_floor is None or on_floor == over:
                return on_floor
            a = on_floor

    def _stretches(self, bounds: Bounds, start: int) -> Iterator[tuple[int, int]]:
        """Cut the future where an idle period becomes full, without those in which no bound can be missed.

        Ends once more of them change nothing.
        """
        idle = self.rules.idle
        if idle is None or self.active < 0 or idle.points >= 0:
            yield start, END
            return
        positive = sum([v for v in self.interest.values() if v > 0])
        while start < END:
            n = self.periods(start)
            if positive + self._idle_points(n) <= self.rules.floor:
                yield start, END
                return
            safe = self._safe_periods(bounds, start, n)
            end = self.active + (n + max(safe, 1)) * idle.after_ms
            if not safe:
                yield start, end
            start = end

    def _safe_periods(self, bounds: Bounds, start: int, n: int) -> int:
        """Return for how many periods from the `n`-th on surely no bound is missed, at the end of the last neither."""
        idle = self.rules.idle
        if idle is None:
            return 0
        safe, step = 0, 1
        while (end := self.active + (n + safe + step) * idle.after_ms) < END:
            if any(key in CURVED and self._least(key, start, end) < float(bound) for key, bound in bounds.items()):
                break
            safe, step = safe + step, step * 2
        return safe

    def _least(self, key: str, start: int, end: int) -> float:
        """Return what a part is at least from `start` to `end`: what adds as at the end, what takes as at the start."""
        timing = _least(self.timing, self.base, start, end)
        if key == "timing":
            return timing
        idle = self._idle_points(self.periods(end))
        interest = max(self.rules.floor, _least(self.interest, self.base, start, end) + idle)
        return interest if key == "interest" else interest + self.fit + timing


def _least(curve: Curve, base: int, start: int, end: int) -> float:
    return sum([a * 2.0 ** ((base - (end if a > 0 else start)) / h) for h, a in curve.items()], 0.0)


def _sum(a: Curve, b: Curve) -> Curve:
    total = dict(a)
    for h, v in b.items():
        total[h] = total.get(h, 0.0) + v
    return total


def grade_of(rules: Ruleset, fit: float, bant: int) -> str:
    """Return the best grade whose conditions hold, else D."""
    have: Mapping[str, float] = {"fit": fit, "bant": bant}
    for letter, alternatives in rules.grades:
        if any(all(have[key] >= x - MARGIN for key, x in option.items()) for option in alternatives):
            return letter
    return "D"


def idle_row(idle: Idle | None, periods: int) -> list[Explained]:
    """Return the ledger's row of the idle condition."""
    return [Explained("idle", periods, idle.points * periods)] if idle is not None and periods else []


def ledger(rows: list[Explained], floor: float, beside: list[Explained]) -> list[Explained]:
    """Return interest rows with the floor's, and the rows beside them, heaviest first; rows of 0 left out."""
    missing = floor - sum([row.points for row in rows])
    lifted = [Explained("floor", 1, missing)] if missing > MARGIN else []
    shown = [row for row in rows + lifted + beside if abs(row.points) > MARGIN]
    return shown if len(shown) < 2 else sorted(shown, key=lambda row: (-row.points, row.rule))


def intent(points: float) -> str:
    """Name the intent that so many points of direct behaviours show."""
    return "direct" if points >= 1.0 - MARGIN else "contextual"
