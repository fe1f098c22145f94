"""Asks the leaders of partitions for offsets: one that has none, or whose leader does not answer, holds nobody up."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import TypeVar

from aiokafka import AIOKafkaConsumer, OffsetAndTimestamp, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, KafkaTimeoutError

from stream.ops import group

T = TypeVar("T")
Ask = Callable[[AIOKafkaConsumer, list[TopicPartition]], Awaitable[dict[TopicPartition, T]]]
NO_LEADER, NO_ANSWER = "Kafka has no leader for it", "its leader does not answer"
TOGETHER_S, ALONE_S = 2.0, 5.0
"""How long all are waited for, and, where some have not answered, each leader by itself."""
AGAIN_S = 2.0
"""How often those are asked again of whom nothing was heard."""


class Leaders:
    """Asks as a consumer does, which would wait for the last of them.

    Args:
        connect: makes a consumer, started. It learns slowly of new leaders: after trouble a new one asks.
    """

    def __init__(self, admin: AIOKafkaAdminClient, connect: Callable[[], Awaitable[AIOKafkaConsumer]]) -> None:
        self._admin, self._connect = admin, connect
        self._consumer: AIOKafkaConsumer | None = None
        self._one = asyncio.Lock()
        self._looking: asyncio.Future[tuple[AIOKafkaConsumer | None, list[TopicPartition]]] | None = None
        self._looked_at = float("-inf")
        self.silent: dict[TopicPartition, str] = {}
        """Who cannot be asked, and why not."""

    def lost(self, leaderless: Iterable[TopicPartition]) -> None:
        """Hear who has no leader: they are not even asked."""
        self.silent |= dict.fromkeys(leaderless, NO_LEADER)

    async def begins(self, places: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Return where partitions begin, of those that answer."""
        return await self._ask(places, lambda consumer, few: consumer.beginning_offsets(few))

    async def ends(self, places: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Return where they end, of those that answer."""
        return await self._ask(places, lambda consumer, few: consumer.end_offsets(few))

    async def since(self, moments: Mapping[TopicPartition, int]) -> dict[TopicPartition, OffsetAndTimestamp | None]:
        """Return the first records from moments on (ms), None where there is none; those are left out that do not answer."""
        return await self._ask(
            moments.keys(), lambda consumer, few: consumer.offsets_for_times({place: moments[place] for place in few})
        )

    async def _ask(self, places: Collection[TopicPartition], ask: Ask[T]) -> dict[TopicPartition, T]:
        async with self._one:
            await self._hear_of_silent()
            wanted = [place for place in places if place not in self.silent]
            if not wanted:
                return {}
            self._consumer = self._consumer or await self._connect()
            try:
                return await asyncio.wait_for(ask(self._consumer, wanted), TOGETHER_S)
            except (TimeoutError, KafkaTimeoutError):
                return await self._ask_each(wanted, ask)

    async def _ask_each(self, places: list[TopicPartition], ask: Ask[T]) -> dict[TopicPartition, T]:
        """Find out who holds all others up."""
        leaders = await self._leaders_of(places)
        self.lost(place for place in places if place not in leaders)
        found: dict[TopicPartition, T] = {}
        for _ in range(2 if leaders else 0):  # a client that asks a frozen broker for the leaders hears of none meanwhile
            await self._ask_by(await self._connect())
            if found := await _each(self._consumer, leaders, ask):
                break
        self.silent |= dict.fromkeys(leaders.keys() - found.keys(), NO_ANSWER)
        self._looked_at = time.monotonic()
        return found

    async def _hear_of_silent(self) -> None:
        """Look aside, now and then, whether they answer again."""
        if self._looking is not None and self._looking.done():
            looking, self._looking = self._looking, None
            consumer, back = looking.result()
            self._looked_at = time.monotonic()
            if consumer is not None:
                await self._ask_by(consumer)
            for place in back:
                self.silent.pop(place, None)
        if self.silent and self._looking is None and time.monotonic() - self._looked_at >= AGAIN_S:
            self._looking = asyncio.ensure_future(self._look())

    async def _look(self) -> tuple[AIOKafkaConsumer | None, list[TopicPartition]]:
        """Return who answers again, and the consumer that reached them."""
        consumer = None
        try:
            leaders = await self._leaders_of(self.silent.keys())
            if not leaders:
                return None, []
            consumer = await self._connect()
            back = list(await _each(consumer, leaders, lambda one, few: one.end_offsets(few)))
        except (KafkaError, OSError, TimeoutError):
            back = []
        except asyncio.CancelledError:
            await _stop(consumer)
            raise
        if back:
            return consumer, back
        await _stop(consumer)
        return None, []

    async def _leaders_of(self, places: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Return who leads, of those that have a leader."""
        found = await group.leaders(self._admin, sorted({place.topic for place in places}))
        return {place: found[place] for place in places if place in found}

    async def _ask_by(self, consumer: AIOKafkaConsumer) -> None:
        former, self._consumer = self._consumer, consumer
        await _stop(former)

    async def close(self) -> None:
        """Hang up."""
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.cancel()
            for found in await asyncio.gather(looking, return_exceptions=True):
                if isinstance(found, tuple):
                    await _stop(found[0])
        former, self._consumer = self._consumer, None
        await _stop(former)


async def _each(
    consumer: AIOKafkaConsumer | None, leaders: Mapping[TopicPartition, int], ask: Ask[T]
) -> dict[TopicPartition, T]:  # fmt: skip
    """Ask each leader by itself, all at once; return what was answered."""

    async def alone(leader: int) -> dict[TopicPartition, T]:
        try:
            return await asyncio.wait_for(ask(consumer, [place for place, at in leaders.items() if at == leader]), ALONE_S)
        except (TimeoutError, KafkaTimeoutError):
            return {}

    answers = await asyncio.gather(*map(alone, set(leaders.values())))
    return {place: found for answer in answers for place, found in answer.items()}


async def _stop(consumer: AIOKafkaConsumer | None) -> None:
    if consumer is not None:
        await consumer.stop()
