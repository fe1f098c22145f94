"""What the members of an account bring, added up: decaying curves that a member joins and leaves without a trace.

A member's score is a curve and a constant until an instant known beforehand: until its interest falls to the floor, another
idle period is full, its role no longer counts. So the account's sums are right from one such instant to the next, and a
change of one member of a hundred thousand costs one subtraction and one addition.
"""

from math import inf

import msgspec

from stream.domain import curves, decay
from stream.domain.crossing import END, MARGIN, first_below
from stream.domain.curves import Curve
from stream.domain.freshness import ALWAYS
from stream.domain.log import Member

Part = list[float]
"""A sum at the landmark, what rounding lost of it, and how many members made it."""
CONSTANT = inf
"""The half-life of what does not decay."""


class Shape(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How a member counts for a while: whether its interest stands on the floor, how many idle periods count, its role.

    On the floor none does: two shapes that bring the same are the same. Else whoever started from the rows while a member stood
    there would see other changes than who watched it since before, and sums would be rounded otherwise.
    """

    floored: bool = False
    periods: int = 0
    role: str = ""


PLAIN = Shape()


def is_plain(member: Member) -> bool:
    """Tell whether nothing but decay ever changes what a member brings; most visitors are."""
    return (
        member.floor <= 0 and not member.role and not _idles(member) and all(a >= 0 for a in member.interest.values())
    )  # fmt: skip


def _idles(member: Member) -> bool:
    return bool(member.idle_ms and member.idle_points and member.active >= 0)


def shape(member: Member, at: int) -> Shape:
    """Return how a member counts at `at` (ms)."""
    if is_plain(member):
        return PLAIN
    periods, role = _full(member, at), member.role if at < member.role_until else ""
    floored = curves.value(member.interest, member.base, at) < _threshold(member, periods) - MARGIN
    return Shape(floored, 0 if floored else periods, role)


def is_idle_at(member: Member, at: int) -> bool:
    """Tell whether another idle period of a member is full at the very instant `at` (ms)."""
    return _full(member, at) > _full(member, at - 1)


def _full(member: Member, at: int) -> int:
    return max(0, (at - member.active) // member.idle_ms) if _idles(member) else 0


def _threshold(member: Member, periods: int) -> float:
    return member.floor - member.idle_points * periods


def changes_at(member: Member, now: Shape, after: int) -> int | None:
    """Return the first ms behind `after`, at which it counts as `now`, that may let a member count otherwise; None: never."""
    if is_plain(member):
        return None
    found = [] if not member.role or member.role_until <= after or member.role_until == ALWAYS else [member.role_until]
    end, periods = END, _full(member, after)
    threshold = _threshold(member, periods)
    if _idles(member) and not _stays_floored(member, now, after, threshold):
        end = member.active + (periods + 1) * member.idle_ms
        found.append(end)
    switch = _switch(member, now, after + 1, end, threshold)
    if switch is not None:
        found.append(switch)
    return min(found, default=None)


def _stays_floored(member: Member, now: Shape, after: int, threshold: float) -> bool:
    """Tell whether even all positive parts together lie below the floor, and ever more so."""
    if not now.floored or member.idle_points > 0:
        return False
    return sum(a * decay.left(after - member.base, h) for h, a in member.interest.items() if a > 0) < threshold - MARGIN


def _switch(member: Member, now: Shape, start: int, end: int, threshold: float) -> int | None:
    """Return when interest falls to the floor, or rises from it, before `end`."""
    if now.floored:
        rising = {h: -a for h, a in member.interest.items()}
        return first_below(rising, member.base, 2 * MARGIN - threshold, start, end)
    return first_below(member.interest, member.base, threshold, start, end)


class Sums(msgspec.Struct, array_like=True):
    """Everything members bring. `interest` and `rest` (timing and fit) are the leads', `visitors` the interest of the others."""

    landmark: int = 0
    interest: dict[float, Part] = {}
    rest: dict[float, Part] = {}
    visitors: dict[float, Part] = {}
    people: int = 0
    anonymous: int = 0
    roles: dict[str, int] = {}

    def add(self, member: Member, as_: Shape, sign: int) -> None:
        """Let a member that counts as `as_` join (`sign` 1) or leave (-1)."""
        self._look_at_landmark(member)
        interest = self.interest if member.lead else self.visitors
        if as_.floored:
            if member.floor:
                _put(interest, CONSTANT, member.floor, sign)
        else:
            self._put_curve(interest, member.interest, member.base, sign)
            if member.idle_points * as_.periods:
                _put(interest, CONSTANT, member.idle_points * as_.periods, sign)
        if not member.lead:
            self.anonymous += sign
            return
        self._put_curve(self.rest, member.timing, member.base, sign)
        if member.fit:
            _put(self.rest, CONSTANT, member.fit, sign)
        self.people += sign
        if as_.role:
            self.roles[as_.role] = self.roles.get(as_.role, 0) + sign
            if not self.roles[as_.role]:
                del self.roles[as_.role]

    def _put_curve(self, into: dict[float, Part], curve: Curve, base: int, sign: int) -> None:
        for h, a in curve.items():
            if a:
                _put(into, h, a * 2.0 ** ((base - self.landmark) / h), sign)

    def _look_at_landmark(self, member: Member) -> None:
        """Move the landmark where a member's curve begins too far behind it: doubles overflow."""
        ahead = member.base - self.landmark
        if not (self.interest or self.rest or self.visitors):
            self.landmark = member.base
        elif any(ahead > decay.FAR * h for curve in (member.interest, member.timing) for h in curve):
            for curve in (self.interest, self.rest, self.visitors):
                for h, part in curve.items():
                    factor = 2.0 ** (-ahead / h)
                    part[0] *= factor
                    part[1] *= factor
            self.landmark = member.base

    def copy(self) -> "Sums":
        """Return sums of their own."""
        interest, rest, visitors = (
            {h: [*part] for h, part in curve.items()} for curve in (self.interest, self.rest, self.visitors)
        )
        return Sums(self.landmark, interest, rest, visitors, self.people, self.anonymous, dict(self.roles))


def _put(into: dict[float, Part], h: float, amount: float, sign: int) -> None:
    """Add what does not vanish; what rounding loses is kept (Knuth's TwoSum), and with its last member a sum is exactly gone."""
    part = into.get(h)
    if part is None:
        part = into[h] = [0.0, 0.0, 0.0]
    old, amount = part[0], amount * sign
    new = part[0] = old + amount
    back = new - old
    part[1] += (old - (new - back)) + (amount - back)
    part[2] += sign
    if not part[2]:
        del into[h]
