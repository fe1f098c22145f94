"""Sends canaries from outside and waits for them where a CRM would read: behind the people."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from stream.domain import canary
from stream.domain.log import Canary, Unreadable, decode


@dataclass(slots=True)
class Flight:
    """One canary's way: seconds from its sending until it was accepted, and until it was read again; None: not yet."""

    partition: int | None
    sent_at: float
    accepted_s: float | None = None
    back_s: float | None = None

    def document(self) -> dict[str, Any]:
        """Return what `canary --json` tells of it."""
        return {"partition": self.partition, "acceptedSeconds": self.accepted_s, "backSeconds": self.back_s}


class Waiting:
    """Reads `wakes` from its present end on.

    Args:
        consumer: started, and given to nobody else.
    """

    def __init__(self, consumer: AIOKafkaConsumer, places: Iterable[TopicPartition]) -> None:
        self._consumer, self._places = consumer, list(places)
        consumer.assign(self._places)

    async def begin(self) -> None:
        """Find the present ends."""
        for place, end in (await self._consumer.end_offsets(self._places)).items():
            self._consumer.seek(place, end)

    async def until_back(self, flights: Mapping[str, Flight], deadline: float) -> None:
        """Note when each came back, by its identity, until all have or the deadline comes (of the monotonic clock)."""
        while any(flight.back_s is None for flight in flights.values()) and time.monotonic() < deadline:
            for records in (await self._consumer.getmany(timeout_ms=100)).values():
                for record in records:
                    flight = flights.get(_node_in(record.value))
                    if flight is not None and flight.back_s is None:
                        flight.back_s = time.monotonic() - flight.sent_at


def _node_in(value: bytes | None) -> str:
    try:
        told = decode(value or b"")
    except Unreadable:
        return ""
    return told.node if isinstance(told, Canary) else ""


async def send(producer: AIOKafkaProducer, topic: str, names: Mapping[str, int]) -> dict[str, Flight]:
    """Send a canary into each partition, by its name; return their flights by identity once all are accepted."""

    async def fly(name: str, partition: int) -> tuple[str, Flight]:
        flight, node = Flight(partition, time.monotonic()), canary.node_of(name)
        await producer.send_and_wait(topic, orjson.dumps(canary.event_of(name)), node.encode(), partition)
        flight.accepted_s = time.monotonic() - flight.sent_at
        return node, flight

    return dict(await asyncio.gather(*(fly(name, partition) for name, partition in names.items())))
