"""Durations as a ruleset writes them (`90s`, `15m`, `2h`, `14d`) and half-lives, in milliseconds."""

import math
import re

DURATION = re.compile(r"([0-9]{1,10})([smhd])", re.ASCII)
UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def duration_ms(text: str) -> int | None:
    """Return the milliseconds of a duration, None if it is not one.

    >>> duration_ms("14d"), duration_ms("1.5h")
    (1209600000, None)
    """
    found = DURATION.fullmatch(text)
    return int(found[1]) * UNITS_MS[found[2]] if found else None


def half_life_of_retention(after_ms: float, keep: float) -> float:
    """Return the half-life of what keeps the share `keep` (0 < keep < 1) after a time: after · ln 2 / ln(1/keep).

    >>> half_life_of_retention(7.0, 0.5)
    7.0
    """
    return after_ms * math.log(2) / -math.log(keep)
