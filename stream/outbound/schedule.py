"""When a webhook that failed is tried again: soon at first, then ever later, until patience ends."""

from typing import Final

DELAYS_S: Final = (5, 30, 120, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Standard Webhooks' schedule, with two early ones more: most failures are a restart."""
JITTER: Final = 0.2


def next_delay_s(attempts: int, told_s: float | None, jitter: float) -> float:
    """Return the seconds until the next attempt, after so many; `told_s` is the answer's Retry-After, `jitter` 0..1.

    >>> next_delay_s(1, None, 0.0), next_delay_s(1, None, 1.0), next_delay_s(50, None, 0.0), next_delay_s(3, 1, 0.5)
    (5.0, 6.0, 86400.0, 1.0)
    """
    if told_s is not None:
        return min(max(0.2, float(told_s)), float(DELAYS_S[-1]))
    return DELAYS_S[min(attempts, len(DELAYS_S)) - 1] * (1 + JITTER * jitter)
