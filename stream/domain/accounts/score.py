"""An account's score as a function of time, for the stage machine: keys score, interest, people, committee."""

from collections.abc import Mapping

from stream.domain import curves
from stream.domain.accounts.sums import CONSTANT, Part, Sums
from stream.domain.crossing import END, MARGIN, first_below
from stream.domain.curves import Curve
from stream.domain.ruleset.model import Bound, Bounds


class AccountScore:
    """What the members bring, if nobody comes, until `end`: then one of them begins to count otherwise.

    Args:
        sums: the members', right from now on.
        anonymous: the weight of what anonymous visitors bring.
        end: the first instant (ms) at which the sums are no longer right.
        idled: how often idle periods have become full, and when they did last.
        before: the score before they did.
    """

    grade, identified = "D", True

    def __init__(
        self, sums: Sums, anonymous: float, end: int = END, idled: tuple[int, int] = (0, 0), before: "AccountScore | None" = None
    ) -> None:
        self.base, self.end, self._idled, self._before = sums.landmark, end, idled, before
        self._interest, self._fixed_interest = _joined((sums.interest, 1.0), (sums.visitors, anonymous))
        rest, self._fixed_rest = _joined((sums.rest, 1.0))
        self._score = dict(self._interest)
        for h, a in rest.items():
            self._score[h] = self._score.get(h, 0.0) + a
        self._counts = {"people": float(sums.people), "committee": float(len(sums.roles))}

    def part(self, key: str, at: int) -> float:
        """Return the score, the interest, or how many people or roles there are at `at` (ms)."""
        if key in self._counts:
            return self._counts[key]
        curve, fixed = self._curve(key)
        return curves.value(curve, self.base, at) + fixed

    def _curve(self, key: str) -> tuple[Curve, float]:
        """Return what decays and what does not; what is asked for that accounts do not have is the score."""
        if key == "interest":
            return self._interest, self._fixed_interest
        return self._score, self._fixed_interest + self._fixed_rest

    def periods(self, at: int) -> int:
        """Return how often idle periods had become full by `at`."""
        count, last = self._idled
        return count if at >= last else count - 1

    def holds(self, bounds: Bounds, at: int) -> bool:
        """Tell whether every bound is reached at `at`."""
        return not self.falls(bounds, at)

    def falls(self, bounds: Bounds, at: int, periods: int | None = None) -> bool:
        """Tell whether any bound is missed at `at`; with fewer `periods`: would be, had the last ones not become full."""
        if periods is not None and self._before is not None and periods < self._idled[0]:
            return self._before.falls(bounds, at)
        return any(self.below(key, bound, at) for key, bound in bounds.items())

    def below(self, key: str, bound: Bound, at: int) -> bool:
        """Tell whether one part is below its bound."""
        return self.part(key, at) < float(bound) - MARGIN

    def first_fall(self, bounds: Bounds, start: int) -> int | None:
        """Return the first ms in [start, end) at which any bound is missed; None where that does not come."""
        if start >= self.end:
            return None
        if self.falls(bounds, start):
            return start
        found = []
        for key, bound in bounds.items():
            if key not in self._counts:
                curve, fixed = self._curve(key)
                found.append(first_below(curve, self.base, float(bound) - fixed, start, self.end))
        return min((at for at in found if at is not None), default=None)


def _joined(*parts: tuple[Mapping[float, Part], float]) -> tuple[Curve, float]:
    """Return the curve and the constant that sums make, each with its weight."""
    curve: Curve = {}
    fixed = 0.0
    for sums, weight in parts:
        for h, (high, low, _) in sums.items():
            if h == CONSTANT:
                fixed += (high + low) * weight
            else:
                curve[h] = curve.get(h, 0.0) + (high + low) * weight
    return curve, fixed
