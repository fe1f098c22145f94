"""Events on their way while everything else goes wrong."""

import threading
import time

from confluent_kafka import Producer

from tests.brokers import Installation
from tests.chaos.traffic import Traffic


class Feeder:
    """Sends `count` records from a thread of its own, spread over about `spread_s`; `hurry` sends the rest at once."""

    def __init__(self, installation: Installation, traffic: Traffic, count: int, spread_s: float) -> None:
        self._topic, self._traffic, self._count, self._spread_s = installation.topic("events"), traffic, count, spread_s
        self._producer = Producer(
            {
                "bootstrap.servers": installation.broker.address,
                "partitioner": "murmur2_random",
                "message.timeout.ms": 120_000,
                "reconnect.backoff.max.ms": 500,
                "linger.ms": 5,
                "log_level": 0,
            }
        )
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.failed: list[str] = []
        self.sent = 0

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def hurry(self) -> None:
        """Send what is left, and wait until Kafka has acknowledged all."""
        self._hurry.set()
        self._thread.join()
        if left := self._producer.flush(120):
            self.failed.append(f"{left} records were not acknowledged")

    def _run(self) -> None:
        pause = self._spread_s / self._count
        for _ in range(self._count):
            made = self._traffic.next(int(time.time() * 1000))
            self._producer.produce(self._topic, made.value, made.key, on_delivery=self._delivered)
            self._producer.poll(0)
            self.sent += 1
            self._hurry.wait(pause)

    def _delivered(self, error: object, _: object) -> None:
        if error is not None:
            self.failed.append(str(error))
