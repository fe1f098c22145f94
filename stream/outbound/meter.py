"""What a webhook process counts, for Prometheus; never a lead, an address or a URL in a label."""

import time
from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from stream.outbound.posting import Fact, Failed, Post

SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)
"""Of an attempt; it ends after 20 s."""
LATE: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0, 120.0, 600.0, 3_600.0, 86_400.0)
"""Of a fact, from Kafka's timestamp until it is told: retries take days."""
NO_ANSWER: Final = "none"


class Meter:
    """The counters of one process, in a registry of their own."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """Begin with nothing."""
        self._clock = clock
        self.registry = registry = CollectorRegistry()
        self._attempts = Counter("leadstream_webhook_attempts", "Attempts by their answer", ["answer"], registry=registry)
        self._seconds = Histogram("leadstream_webhook_attempt_seconds", "Of an attempt", buckets=SECONDS, registry=registry)
        self._told = Counter("leadstream_webhook_facts", "Facts that a receiver took", registry=registry)
        self._late = Histogram("leadstream_webhook_latency_seconds", "From Kafka to told", buckets=LATE, registry=registry)
        self._letters = Counter("leadstream_webhook_dead_letters", "Facts that nobody took", registry=registry)
        self._waiting = Gauge("leadstream_webhook_waiting", "Facts that are read and not told", registry=registry)
        ProcessCollector(registry=registry)
        for answer in ("2xx", "4xx", "5xx", NO_ANSWER):
            self._attempts.labels(answer)

    def watch(self, waiting: Callable[[], int]) -> None:
        """Take what says how many facts wait."""
        self._waiting.set_function(waiting)

    def metered(self, post: Post) -> Post:
        """Return what posts as `post` does, and notes how that went."""

        async def attempt(fact: Fact) -> Failed | None:
            began_s = self._clock()
            failed = await post(fact)
            now_s = self._clock()
            self._seconds.observe(max(0.0, now_s - began_s))
            self._attempts.labels(_answer(failed)).inc()
            if failed is None:
                self._told.inc()
                self._late.observe(max(0.0, now_s - fact.at_ms / 1000))
            return failed

        return attempt

    def letter(self) -> None:
        """Note a fact that went to the dead letters."""
        self._letters.inc()

    def exposition(self) -> bytes:
        """Return the counters as Prometheus reads them."""
        return generate_latest(self.registry)


def _answer(failed: Failed | None) -> str:
    """Return what was answered, as a label."""
    if failed is None:
        return "2xx"
    return NO_ANSWER if failed.status is None else f"{failed.status // 100}xx"
