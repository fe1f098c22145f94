"""What nobody took, put where it can be told again."""

from typing import Final

from aiokafka import AIOKafkaProducer, ConsumerRecord

from stream.outbound.meter import Meter

_TOLD: Final = ("topic", "partition", "offset", "attempts", "message")


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
