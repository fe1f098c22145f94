"""How sure one may be of what was told of somebody's job: half of it after every half-life, all of it when told again.

Nothing is due at a tick: it is asked at an instant, and the instant from which a fact no longer counts is known beforehand.
"""

import math

from stream.domain.ruleset.model import Freshness

ALWAYS = 1 << 62
"""An instant after all others."""


def confidence(rules: Freshness | None, told_at: int, at: int) -> float:
    """Return the share (0..1) of a fact told at `told_at` that is left at `at` (ms); 1.0 where nothing grows old.

    >>> confidence(Freshness(1000.0, 0.5, 1000.0), 0, 2000), confidence(None, 0, 2000)
    (0.25, 1.0)
    """
    return 1.0 if rules is None else 2.0 ** (-max(0, at - told_at) / rules.half_life_ms)


def counts_until(rules: Freshness | None, told_at: int) -> int:
    """Return the first ms at which a fact told at `told_at` counts no longer; `ALWAYS` where that never comes."""
    if rules is None or math.isinf(rules.lasts_ms):
        return ALWAYS
    return told_at + math.floor(rules.lasts_ms) + 1


def left_at(rules: Freshness | None, until: int, at: int) -> float:
    """Return the confidence at `at` of a fact that counts until `until`, as `counts_until` said; 1.0 where it always does.

    >>> left_at(Freshness(1000.0, 0.25, 2000.0), 2001, 1000)
    0.5
    """
    if rules is None or until == ALWAYS:
        return 1.0
    return confidence(rules, until - 1 - math.floor(rules.lasts_ms), at)


def counts(rules: Freshness | None, told_at: int, at: int) -> bool:
    """Tell whether a fact told at `told_at` still counts at `at`.

    >>> [counts(Freshness(1000.0, 0.5, 1000.0), 0, at) for at in (1000, 1001)]
    [True, False]
    """
    return at < counts_until(rules, told_at)
