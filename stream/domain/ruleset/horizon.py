"""Reads [visitors]: after how long without an event a visitor to whom nobody listens is forgotten."""

import math

from stream.domain.ruleset.durations import UNITS_MS
from stream.domain.ruleset.table import Table

DAY_MS = UNITS_MS["d"]
LEAST_MS = 30 * DAY_MS
"""Behind it no duplicate is to be expected any more: clients give up, topics are deleted."""
HALF_LIVES = 10
"""What is forgotten weighs at most 2 ** -10 of what it weighed, less than a thousandth."""


def read_horizon(root: Table, longest_half_life_ms: float) -> float:
    """Read the idle horizon in milliseconds; infinite where there is none: nobody is forgotten."""
    table = root.table("visitors")
    table.only("idle_horizon")
    if "idle_horizon" not in table:
        return math.inf
    horizon_ms = table.duration("idle_horizon", LEAST_MS)
    least_ms = max(LEAST_MS, HALF_LIVES * longest_half_life_ms)
    if horizon_ms < least_ms:
        days = math.ceil(least_ms / DAY_MS)
        table.wrong("idle_horizon", f"{days}d or longer: 30 days, and {HALF_LIVES} times the longest half-life of the file")
    return float(horizon_ms)
