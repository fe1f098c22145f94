"""How much at once: a token bucket a write key, two numbers each, whoever asks and however often.

    rates = Rates()
    rates.take(key, events)            # Refused(429) with the seconds until as much would pass

A request larger than the bucket passes when the bucket is full and leaves it in debt: the rate holds, and no client hangs
for ever on a batch that can never pass. Buckets are those of one process: several collectors allow as many times the rate.
"""

import math
import time
from collections.abc import Callable

from stream.collector.request import Refused
from stream.collector.write_keys import WriteKey


class Rates:
    """The buckets of all keys; a key without a rate has none."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with full buckets; `clock` gives seconds."""
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, key: WriteKey, events: int) -> None:
        """Take events out of the key's bucket, or raise Refused and leave it."""
        if not key.rate:
            return
        now_s = self._clock()
        held, at_s = self._buckets.get(key.name, (key.burst, now_s))
        held = min(key.burst, held + (now_s - at_s) * key.rate)
        missing = min(float(events), key.burst) - held
        if missing > 1e-9:
            raise Refused(429, "rate", "more events than the write key's rate allows", math.ceil(missing / key.rate))
        self._buckets[key.name] = held - events, now_s
