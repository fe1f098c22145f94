"""Writing changelogs, and noticing a second writer or a loss: with one idempotent producer each batch follows the last by one."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Protocol

from aiokafka.errors import KafkaError
from faust.types import TP

from stream.runtime import refusals
from stream.runtime.fatal import SecondWriter
from stream.runtime.producer import BatchProducer
from stream.runtime.work import Work

CHECK_S = 10.0
"""How often the ends are compared even when nothing is written."""
ANSWER_S = 2.0
"""No checkpoint is made while an answer is awaited."""


class Ends(Protocol):
    """A store that knows the last offset of each of its changelog partitions, read or written."""

    at: dict[TP, int]


class Changelogs:
    """All changelogs of a worker: `stores` by topic; `lost(changelog, end, said)` says what one is that ends before it did."""

    def __init__(
        self,
        producer: Callable[[], BatchProducer],
        ends: Callable[[Iterable[TP]], Awaitable[Mapping[TP, tuple[int, int]]]],
        stores: Callable[[], Mapping[str, Ends]],
        lost: Callable[[TP, int, int], Exception],
    ) -> None:
        self._producer, self._ends, self._stores, self._lost = producer, ends, stores, lost

    def last(self, tp: TP) -> int:
        """Return a changelog's last offset as far as known, -1 for none."""
        return self._stores()[tp.topic].at.get(tp, -1)

    async def append(self, work: Work, goes_on: Callable[[], None] = lambda: None) -> None:
        """Append the rows of one partition and await their acknowledgement; `goes_on` hears of each."""
        now, (topic, partition) = int(time.time() * 1000), work.changelog
        for rows in work.rows:
            sent = await self._producer().send_many(topic, partition, rows, now, whole=work.atomic)
            if work.atomic and len(sent) != 1:
                msg = f"a cut of {topic} needs {len(sent)} record batches: it must be one"
                raise ValueError(msg)
            for acknowledged, count, size in sent:
                try:
                    at = await acknowledged
                except KafkaError as cause:
                    raise refusals.of_sending(cause, topic, partition, size()) from cause
                self._follow(work.changelog, at.offset, count)
                goes_on()

    def _follow(self, tp: TP, offset: int, count: int) -> None:
        at, expected = self._stores()[tp.topic].at, self.last(tp) + 1
        if offset < expected:
            raise self._lost(tp, offset - 1, expected - 1)
        if offset > expected:
            msg = f"a second writer on {tp.topic}-{tp.partition}: expected offset {expected}, got {offset}"
            raise SecondWriter(msg)
        at[tp] = offset + count - 1

    async def require_whole(self, known: Mapping[TP, int]) -> None:
        """Raise what `lost` says of a changelog that ends before the last offset that is known of it.

        Raises `TimeoutError` or `KafkaError` where Kafka does not answer.
        """
        async with asyncio.timeout(ANSWER_S):
            ends = await self._ends(known)
        for tp, (_, end) in ends.items():
            if end - 1 < known[tp]:
                raise self._lost(tp, end - 1, known[tp])

    async def check(self, lock: asyncio.Lock, owned: Callable[[], Iterable[TP]]) -> None:
        """Raise `SecondWriter` if a changelog of ours grew without us, what `lost` says if it shrank; between checkpoints only.

        Raises `TimeoutError` or `KafkaError` where Kafka does not answer.
        """
        async with lock, asyncio.timeout(ANSWER_S):
            known = {tp: self.last(tp) for tp in owned()}
            ends = await self._ends(known)
        still = set(owned())
        for tp, (_, end) in ends.items():
            if tp in still and end - 1 < known[tp]:
                raise self._lost(tp, end - 1, known[tp])
            if tp in still and end - 1 > known[tp]:
                msg = f"a second writer on {tp.topic}-{tp.partition}: expected the end {known[tp] + 1}, found {end}"
                raise SecondWriter(msg)
