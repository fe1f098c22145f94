"""Curves: what is left of many decaying sums when their names no longer matter, and its value at any instant."""

from stream.domain.decay import Sums, left

Curve = dict[float, float]
"""Half-life in ms -> value at a base instant."""


def accumulate(curve: Curve, sums: Sums, landmark: int, base: int) -> None:
    """Add all sums, whatever their names, to a curve that starts at `base`."""
    for h, part in sums.items():
        curve[h] = curve.get(h, 0.0) + sum(part.values()) * left(base - landmark, h)


def value(curve: Curve, base: int, at: int) -> float:
    """Return the curve's value at `at`."""
    total = 0.0
    for h, a in curve.items():
        total += a * 2.0 ** ((base - at) / h)
    return total
