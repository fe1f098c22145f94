"""Decayed weights: sums that halve every half-life, in any order of arrival.

A contribution w made at t is worth w * 2^(-(at - t) / h) at any later instant. By forward decay (Cormode et al., ICDE 2009)
a sum keeps what its parts would be worth at one fixed instant, the landmark L: S = sum of w * 2^((t - L) / h). Adding is
commutative, so a late part costs and counts exactly what it would have on time, and two sums merge by adding.

    >>> sums: Sums = {}
    >>> fresh = add(sums, "content-marketing", half_life(7 * DAY, 0.7), 0.8 * 0.8, 0, 0)
    >>> round(worth(sums, 0, 7 * DAY)["content-marketing"], 9)
    0.448
"""

from math import log

DAY = 86_400_000
FAR = 64.0
"""Half-lives past the landmark after which it moves: doubles overflow at 1,024."""

Sums = dict[float, dict[str, float]]
"""Half-life in ms -> name -> value at the landmark."""


def half_life(after_ms: float, keep: float) -> float:
    """Return the half-life in ms of what keeps the share `keep` (0..1) after `after_ms`."""
    return after_ms * log(2) / log(1 / keep)


def add(sums: Sums, name: str, h: float, amount: float, t: int, landmark: int) -> bool:
    """Add `amount` made at `t`; its worth for `t` is exact however late it comes. `(t - landmark) / h` is below `FAR`.

    Returns whether the name is new under this half-life.
    """
    made = amount * 2.0 ** ((t - landmark) / h)
    try:
        part = sums[h]
    except KeyError:
        part = sums[h] = {}
    if name in part:
        part[name] += made
        return False
    part[name] = made
    return True


def count(sums: Sums) -> int:
    """Return how many values the sums are made of."""
    values = 0
    for part in sums.values():
        values += len(part)
    return values


def rebase(sums: Sums, landmark: int, to: int) -> None:
    """Move the landmark of all sums to a later instant."""
    for h, part in sums.items():
        factor = 2.0 ** ((landmark - to) / h)
        for name in part:
            part[name] *= factor


def left(age_ms: int, h: float) -> float:
    """Return the share that is left at an age; before its time (a clock may lie behind it) at most `2 ** FAR`."""
    halvings = -age_ms / h
    at_most = halvings if halvings < FAR else FAR  # noqa: FURB136 - min() costs as much as the rest: asked 15 times at a merge
    return 2.0**at_most  # type: ignore[no-any-return]  # a float of floats


def worth(sums: Sums, landmark: int, at: int) -> dict[str, float]:
    """Return what every name is worth at `at`."""
    total: dict[str, float] = {}
    for h, part in sums.items():
        factor = left(at - landmark, h)
        if not total:
            total = {name: 0.0 + value * factor for name, value in part.items()}
            continue
        for name, value in part.items():
            total[name] = total.get(name, 0.0) + value * factor
    return total
