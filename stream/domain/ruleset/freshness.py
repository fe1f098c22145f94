"""Reads [freshness]: how fast what was told of a job grows old."""

import math

from stream.domain.ruleset.durations import UNITS_MS, half_life_of_retention
from stream.domain.ruleset.model import Freshness
from stream.domain.ruleset.table import HALF_LIFE, Table

FOUR_YEARS_MS = 1461 * UNITS_MS["d"]
KEPT = 0.6
"""LinkedIn's figure for B2B: 40 % change jobs within four years, so 60 % of what was told then still holds."""
DEFAULT_MS = half_life_of_retention(FOUR_YEARS_MS, KEPT)
LEAST = 0.5


def read_freshness(root: Table) -> Freshness | None:
    """Read how facts grow old; None: never."""
    if "freshness" not in root:
        return None
    table = root.table("freshness")
    table.only(*HALF_LIFE, "min_confidence")
    half_life_ms = table.half_life(DEFAULT_MS)
    least = table.number("min_confidence", LEAST, low=0.0, high=1.0)
    lasts_ms = half_life_ms * math.log2(1 / least) if least else math.inf
    return Freshness(half_life_ms, least, lasts_ms)
