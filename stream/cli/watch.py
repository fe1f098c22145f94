"""Watch for the demo: show every fact of `stage-changes` as it comes."""

import asyncio
import time

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from rich.console import Console

from stream.demo.telling import Tally, line

FADED = ("decay", "idle")
QUIET_S = 2.0


class Watch:
    """Reads `topic` from its present end on; prints and counts what comes."""

    def __init__(self, consumer: AIOKafkaConsumer, topic: str, partitions: int, tally: Tally, console: Console) -> None:
        self._consumer, self._tally, self._console = consumer, tally, console
        self._places = [TopicPartition(topic, number) for number in range(partitions)]
        self._last = time.monotonic()

    async def begin(self) -> None:
        """Find the present end."""
        self._consumer.assign(self._places)
        for place, end in (await self._consumer.end_offsets(self._places)).items():
            self._consumer.seek(place, end)

    async def show(self) -> None:
        """Print facts for ever."""
        while True:
            for records in (await self._consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    fact = orjson.loads(record.value)
                    self._tally.take(fact)
                    self._last = time.monotonic()
                    self._console.print(line(fact))

    async def faded(self, patience_s: float) -> None:
        """Wait until a stage was lost while nobody visited and nothing more comes, at most so long."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline and not self._is_over():  # noqa: ASYNC110 -- silence is no event
            await asyncio.sleep(0.2)

    def _is_over(self) -> bool:
        faded = any(self._tally.reasons[reason] for reason in FADED)
        return faded and time.monotonic() - self._last > QUIET_S
