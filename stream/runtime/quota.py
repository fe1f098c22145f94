"""A client's quota: Kafka answers at once and says how long it reads nothing more; who waits so long is neither hung nor dead."""

import asyncio
import logging
import time
from collections.abc import Callable
from math import inf
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaTimeoutError

log = logging.getLogger(__name__)

LONGEST_S = 120.0
"""No answer makes us wait longer: a hang behind it would be seen too late."""
LONG_S = 1.0
"""A longer wait says that too much leaves at once: a stop and a revocation would have to wait for all of it."""
LEAST = 1 / 64
"""So much of what may usually be under way always may."""
SHRINK_S, CALM_S, TELL_S = 10.0, 60.0, 60.0
"""How often it may become less, after how long without a wait it becomes more, and how often it is told."""


class Quota:
    """How long Kafka told us to wait, by broker, and how much less may be under way meanwhile."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._until: dict[Any, float] = {}
        self.until = -inf
        """Until when any broker told us to wait, by the clock."""
        self.share = 1.0
        """How much of what may usually be under way may be now."""
        self._shrunk_at = self._told_at = -inf
        self._calm_at = inf

    def part_of(self, whole: int) -> int:
        """Return how much may be under way where it is usually `whole`; at least 1."""
        return max(1, int(whole * self.share))

    def left_s(self, node: Any) -> float:
        """Return for how many seconds a broker reads nothing more of us."""
        return self._until.get(node, -inf) - self.clock()

    def heard(self, node: Any, throttle_ms: int, client_id: str) -> None:
        """Take note of a broker's answer, also of one that makes us wait no more."""
        now, wait_s = self.clock(), min(throttle_ms / 1000, LONGEST_S)
        if not throttle_ms:
            if now > self._calm_at:
                self.share, self._calm_at = min(1.0, 2 * self.share), now + SHRINK_S
            return
        self._until[node] = now + wait_s
        self.until, self._calm_at = max(self.until, now + wait_s), now + wait_s + CALM_S
        if wait_s > LONG_S and now > self._shrunk_at + SHRINK_S:
            self.share, self._shrunk_at = max(LEAST, self.share * LONG_S / wait_s), now
        if now > self._told_at + TELL_S:
            self._told_at = now
            self.tell(wait_s, client_id)

    def tell(self, wait_s: float, client_id: str) -> None:
        """Say once a minute what makes us slow."""
        log.warning(
            "a Kafka quota makes this worker wait %.1f s before it may send more: it is as fast as the quota allows; to make"
            " it faster raise producer_byte_rate of its user or client id (%s), see docs/limits.md",
            wait_s,
            client_id,
        )


def obeys(kafka: AIOKafkaProducer, quota: Quota, moved_at: Callable[[], float] = lambda: -inf) -> None:
    """Make a producer wait as long as it is told: what it sent earlier would lie in a connection that nobody reads, and time out.

    What waits for its turn behind that, or behind requests that Kafka answers one by one (`moved_at`: it did last, by the quota's
    clock), is no failure either: aiokafka takes it for one after the time of a request.
    """
    client, client_id = kafka.client, kafka.client._client_id
    send, send_batch = client.send, kafka.send_batch

    async def send_in_time(node: Any, request: Any, **how: Any) -> Any:
        if (left_s := quota.left_s(node)) > 0:  # one request a broker is under way at most
            await asyncio.sleep(left_s)
        answer = await send(node, request, **how)
        quota.heard(node, getattr(answer, "throttle_time_ms", 0), client_id)
        return answer

    async def send_batch_in_time(batch: Any, topic: str, *, partition: int) -> Any:
        while True:
            asked_at = quota.clock()
            try:
                return await send_batch(batch, topic, partition=partition)
            except KafkaTimeoutError:  # not taken: nothing was put behind what waits
                if max(quota.until, moved_at()) < asked_at:
                    raise

    client.send, kafka.send_batch = send_in_time, send_batch_in_time
