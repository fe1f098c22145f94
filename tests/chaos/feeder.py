"""Events on their way while everything else goes wrong."""

import threading
import time
from functools import partial

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

from tests.brokers import Installation, wait_until
from tests.chaos.traffic import Traffic

SLACK_S = 0.02
"""So far ahead of its time it may be: waiting costs more than sending."""
LEAST_S = 6
"""All at once would be late, some of it."""
LAST, SLOWER = 0.75, 10
"""From which share on it sends so much slower: on a busy machine blows may fall later than planned."""
PROMPT_MS = 300
"""What Kafka has acknowledged within this time is not worth remembering."""


class Feeder:
    """Sends `count` records from a thread of its own, spread over about `spread_s`; `hurry` sends the rest at once.

    `delays` says how long (ms) after its timestamp a record was acknowledged, by partition and offset, if that was long.
    """

    def __init__(self, installation: Installation, traffic: Traffic, count: int, spread_s: float) -> None:
        self._address = installation.broker.address
        self._topic, self._traffic, self._count, self._spread_s = installation.topic("events"), traffic, count, spread_s
        self._producer = Producer(
            {
                "bootstrap.servers": installation.broker.address,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,  # each record once, whatever happens to the brokers
                "message.timeout.ms": 120_000,
                "reconnect.backoff.max.ms": 500,
                "linger.ms": 5,
                "log_level": 0,
            }
        )
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.failed: list[str] = []
        self.delays: dict[str, int] = {}
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
        self._wait_for_leaders()
        self._producer.list_topics(self._topic, timeout=30)  # who is not connected yet sends late
        began, spread_s = time.monotonic(), max(self._spread_s, LEAST_S)
        for number in range(self._count):
            made = self._traffic.next(int(time.time() * 1000))
            self._producer.produce(self._topic, made.value, made.key, on_delivery=self._delivered)
            self._producer.poll(0)
            self.sent += 1
            ahead = began + spread_s * _slowing(number / self._count) - time.monotonic()
            if ahead > SLACK_S:
                self._hurry.wait(ahead)

    def _wait_for_leaders(self) -> None:
        """Wait until each partition answers: what this client sends to one without a leader yet it may report as sent."""
        asking = Consumer({"bootstrap.servers": self._address, "group.id": "none", "log_level": 0})
        topic = asking.list_topics(self._topic, timeout=30).topics[self._topic]
        for partition in topic.partitions:
            wait_until(partial(_answers, asking, TopicPartition(self._topic, partition)), 30, f"a leader of {partition}")
        asking.close()

    def _delivered(self, error: object, message: Message) -> None:
        if error is not None:
            self.failed.append(str(error))
        late = int(time.time() * 1000) - message.timestamp()[1]
        if late > PROMPT_MS:
            self.delays[f"{message.partition()}:{message.offset()}"] = late


def _slowing(share: float) -> float:
    """Return when a share of the records is due, in spreads: the last ones come slowly, so that late blows find work too."""
    return share if share < LAST else LAST + (share - LAST) * SLOWER


def _answers(asking: Consumer, place: TopicPartition) -> bool:
    try:
        return asking.get_watermark_offsets(place, timeout=10) is not None
    except KafkaException:
        return False
