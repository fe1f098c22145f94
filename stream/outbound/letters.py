"""The topic of what nobody took."""

from datetime import timedelta
from typing import Final

from aiokafka import AIOKafkaProducer, ConsumerRecord

from stream.outbound.meter import Meter
from stream.runtime.topics import Topic
from stream.settings import Settings

NAME: Final = "outbound-dead-letters"
_TOLD: Final = ("topic", "partition", "offset", "attempts", "message")


def letters_topic(settings: Settings) -> Topic:
    """Return the topic as it should be: of one partition, for few should ever lie there."""
    kept_ms = settings.retention_dead_letters // timedelta(milliseconds=1)
    config = {"cleanup.policy": "delete", "retention.ms": str(kept_ms)}
    return Topic(settings.topic_prefix + NAME, 1, settings.replication, config)


class TopicLetters:
    """Puts facts there."""

    def __init__(self, producer: AIOKafkaProducer, topic: str, meter: Meter) -> None:
        """Take a started producer."""
        self._producer, self._topic, self._meter = producer, topic, meter

    async def put(self, record: ConsumerRecord, attempts: int, why: str) -> None:
        """Keep a fact with the headers that say where it was, and why it is here."""
        values = (record.topic, str(record.partition), str(record.offset), str(attempts), why[:500])
        told = [(f"leadstream-{name}", value.encode()) for name, value in zip(_TOLD, values, strict=True)]
        kept = [(name, value) for name, value in record.headers if not name.startswith("leadstream-")]
        await self._producer.send_and_wait(self._topic, record.value, key=record.key, headers=kept + told)
        self._meter.letter()
