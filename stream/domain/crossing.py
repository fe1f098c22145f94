"""When a decaying score falls below a threshold: the closed form, and a bracket where there is none.

One half-life: a * 2^(-(t - base) / h) = x at t = base + h * log2(a / x). Several half-lives: Newton's method on the logarithm of
the sum, which is convex and falls, so that each step ends before the crossing. Negative parts that fade faster than positive
ones can let a sum rise again: then stretches of time are halved until each is shown to hold or to be one millisecond long.
"""

from collections.abc import Callable, Sequence
from math import ceil, log2

from stream.domain.decay import Curve, value

MARGIN = 1e-9
"""`>= x` means `>= x - MARGIN`."""
END = 253_402_300_799_999
"""The last instant there is (9999-12-31), in ms."""


def first_below(curve: Curve, base: int, threshold: float, start: int, end: int) -> int | None:
    """Return the first ms in [start, end) at which `curve` is below `threshold`; None where there is none."""
    limit = threshold - MARGIN
    if value(curve, base, start) < limit:
        return start
    if min(curve.values(), default=0.0) >= 0:
        return _falling(curve, base, limit, start, end)
    return _first_true(lambda t: value(curve, base, t) < limit, lambda a, b: _least(curve, base, a, b) >= limit, start, end)


def _falling(curve: Curve, base: int, limit: float, start: int, end: int) -> int | None:
    """Find the fall of a sum of positive parts, which is not below `limit` at `start`."""

    def below(t: int) -> bool:
        return value(curve, base, t) < limit

    if limit <= 0 or not below(end - 1):
        return None
    parts = [(h, a) for h, a in curve.items() if a > 0]
    if len(parts) == 1:
        ((h, a),) = parts
        guess = max(start, base + ceil(h * log2(a / limit)))
    else:
        guess = _approach(parts, base, limit, start)
    return _settle(below, min(guess, end - 1))


def _approach(parts: Sequence[tuple[float, float]], base: int, limit: float, start: int) -> int:
    """Return about when a sum of positive (half-life, amount) parts falls to `limit`, from `start` where it has not.

    A tenth of a bisection's evaluations: this is asked for at every change of a stage.
    """
    at, step = float(start - base), 1.0
    while step > 0.5:
        total = falling = 0.0
        for h, a in parts:
            part = a * 2.0 ** (-at / h)
            total += part
            falling += part / h
        step = log2(total / limit) * total / falling
        at += step
    return base + ceil(at)


def _settle(holds: Callable[[int], bool], guess: int) -> int:
    """Walk the few milliseconds that rounding may be off."""
    while holds(guess - 1):
        guess -= 1
    while not holds(guess):
        guess += 1
    return guess


def _least(curve: Curve, base: int, a: int, b: int) -> float:
    """Return a lower bound of the curve on [a, b]: positive parts at their end, negative ones at their beginning."""
    total = 0.0
    for h, v in curve.items():
        total += v * 2.0 ** ((base - (b if v > 0 else a)) / h)
    return total


def _first_true(holds: Callable[[int], bool], safe: Callable[[int, int], bool], start: int, end: int) -> int | None:
    """Return the first ms in (start, end) at which `holds`, given it does not at `start`; `safe`: nowhere in a stretch."""
    stretches = [(start, end - 1)]
    while stretches:
        a, b = stretches.pop()
        if safe(a, b):
            continue
        if b - a <= 1:
            if holds(b):
                return b
            continue
        middle = (a + b) // 2
        stretches.append((middle, b))
        stretches.append((a, middle))
    return None
