"""Replay for the demo: visitors at a steady rate, and between them the story."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import orjson
from aiokafka import AIOKafkaProducer
from rich.console import Console
from rich.markup import escape

from schemas.event import partition_key
from stream.demo.story import Step
from stream.demo.telling import Tally
from stream.demo.traffic import Event

STEP_S = 1.5
"""The story goes on at least so often, however long the log is."""


def plan(events: Sequence[Event], steps: Sequence[Step], rate: float) -> Iterator[Event | Step]:
    """Yield events and steps in the order they are sent: the story runs along the log, or ahead of a long one."""
    gap = max(1, min(len(events) // (len(steps) + 1), int(rate * STEP_S)))
    told = iter(steps)
    for number, event in enumerate(events, 1):
        yield event
        if number % gap == 0 and (step := next(told, None)) is not None:
            yield step
    yield from told


@dataclass
class Replay:
    """Sends events to `topic`, `rate` a second; `run` marks their message ids."""

    producer: AIOKafkaProducer
    topic: str
    rate: float
    run: str
    tally: Tally
    console: Console
    phone_region: str | None = None
    _round: int = field(default=0, init=False)

    async def play(self, items: Iterator[Event | Step], move: Callable[[Event], Event]) -> None:
        """Send one round, each event moved in time by `move`, each step told as it is sent."""
        started = time.monotonic()
        for position, item in enumerate(items):
            await asyncio.sleep(max(0.0, started + position / self.rate - time.monotonic()))
            await self._send(item, position, move)
        await self.producer.flush()
        self._round += 1

    async def _send(self, item: Event | Step, position: int, move: Callable[[Event], Event]) -> None:
        now_ms = int(time.time() * 1000)
        if isinstance(item, Step):
            self.console.print(f"{time.strftime('%H:%M:%S', time.gmtime())}    [dim]{escape(item.say)}[/]")
            event = item.sent_at(now_ms, self._message_id(f"story-{position}"))
        else:
            event = {**move(item), "messageId": self._message_id(item.get("messageId") or position)}
        value = orjson.dumps(event)
        key = partition_key(value, self.phone_region)
        await self.producer.send(self.topic, value, key=None if key is None else key.encode())
        self.tally.sent += 1

    def _message_id(self, part: object) -> str:
        return f"demo{self.run}-{self._round}-{part}"
