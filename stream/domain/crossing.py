"""When a decaying score falls below a threshold: sure steps towards it.

A step is as long as the sum surely stays above. Two bounds tell how long that is, and the longer counts; with P the positive
parts and N what the negative ones take:

- far away: P(t + s) >= P * e^(P'/P * s), for the logarithm of P is convex, and N(t + s) <= N;
- near by: P(t + s) >= P + P' * s and N(t + s) <= N + N' * s + N'' / 2 * s^2, for N'' only falls: each step doubles the digits.

Of one half-life the first is exact: t = base + h * log2(a / x). Both hold too where negative parts fade sooner than positive
ones, so that a sum rises and falls again.
"""

from math import log, log2, sqrt

from stream.domain.curves import Curve, value
from stream.domain.instants import LATEST

MARGIN = 1e-9
"""`>= x` means `>= x - MARGIN`."""
END = LATEST
"""The last instant there is (9999-12-31), in ms."""
_NOTHING = 1e-100
"""What no sum of ours tells from nothing; squares of less are nothing to a double."""
_LN2 = log(2)


def first_below(curve: Curve, base: int, threshold: float, start: int, end: int) -> int | None:
    """Return the first ms in [start, end) at which `curve` is below `threshold`; None where there is none."""
    limit, at = threshold - MARGIN, start
    while at < end:
        step = _sure_step(curve, base - at, limit)
        if step is None:
            return None
        if step < 0:
            return _settled(curve, base, limit, start, at)
        at += max(1, int(step))
    return None


def _sure_step(curve: Curve, until_base: int, limit: float) -> float | None:
    """Return for how many ms the curve is not below `limit`, at least; -1: it is; None: it never will be."""
    total = gained = falling = owed = fading = bending = 0.0
    for h, a in curve.items():
        part = a * 2.0 ** (until_base / h)
        total += part
        if part > 0:
            gained += part
            falling += part / h
        else:
            owed -= part
            fading -= part / h
            bending -= part / h / h
    if total < limit:
        return -1.0
    needed = limit + owed
    if needed < _NOTHING:
        return None
    step = log2(gained / needed) * gained / falling
    if not owed:
        return step
    over, slope, bend = total - limit, (falling - fading) * _LN2, bending * _LN2 * _LN2
    down = slope + sqrt(slope * slope + 2 * bend * over)
    return max(step, 2 * over / down if down else 0.0)


def _settled(curve: Curve, base: int, limit: float, start: int, at: int) -> int:
    """Walk back the few milliseconds that rounding may be off: the first is the same from wherever it was looked for."""
    while at > start and value(curve, base, at - 1) < limit:
        at -= 1
    return at
