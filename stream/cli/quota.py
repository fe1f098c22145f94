"""A command under a Kafka quota is slow and says so; it fails of nothing that only has to wait."""

from collections.abc import Awaitable, Callable
from typing import Any

import click
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaTimeoutError

from stream.runtime.quota import LONG_S, Quota, obeys


class Told(Quota):
    """A quota of which a person hears once."""

    _is_told = False

    def heard(self, node: Any, throttle_ms: int, client_id: str) -> None:
        """Take note of a broker's answer."""
        super().heard(node, throttle_ms, client_id)
        if throttle_ms > LONG_S * 1000 and not self._is_told:
            self._is_told = True
            click.echo(f"a Kafka quota makes this wait {throttle_ms / 1000:.0f} s, and again: docs/limits.md", err=True)

    def tell(self, wait_s: float, client_id: str) -> None:
        """Say nothing more: a log is for workers."""


def waits(kafka: AIOKafkaProducer) -> AIOKafkaProducer:
    """Return a producer made to wait as long as Kafka tells it to."""
    quota = Told()
    obeys(kafka, quota)
    kafka.send = in_turn(kafka.send, quota)
    return kafka


def in_turn(send: Callable[..., Awaitable[Any]], quota: Quota) -> Callable[..., Awaitable[Any]]:
    """Let a record wait for its turn behind what waits for the quota: aiokafka refuses it after the time of a request."""

    async def send_in_time(*record: Any, **how: Any) -> Any:
        while True:
            asked_at = quota.clock()
            try:
                return await send(*record, **how)
            except KafkaTimeoutError:  # not taken: nothing was put behind what waits
                if quota.until < asked_at:
                    raise

    return send_in_time
