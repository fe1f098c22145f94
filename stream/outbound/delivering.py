"""Delivers one partition: each lead's facts one after another, leads side by side.

A fact that fails keeps its lead waiting, and nobody else. When patience ends it goes to the dead letters, and the lead goes
on: a CRM sees by `sequence` that one is missing.
"""

import asyncio
import logging
import random
from collections import deque
from typing import Protocol

from aiokafka import ConsumerRecord

from stream.agents.headers import CONTENT_TYPE
from stream.outbound.posting import Fact, Post, parse_id, parse_kind
from stream.outbound.progress import Progress
from stream.outbound.schedule import next_delay_s

logger = logging.getLogger(__name__)


class Letters(Protocol):
    """Where facts go that nobody took."""

    async def put(self, record: ConsumerRecord, attempts: int, why: str) -> None:
        """Keep one for good."""


class Gone(Exception):  # noqa: N818 - the receiver's word, no fault
    """The receiver wants no more webhooks: 410."""


class Delivering:
    """One partition's facts on their way; `failure` is done when it cannot go on."""

    def __init__(
        self, progress: Progress, post: Post, letters: Letters, patience_s: float, failure: asyncio.Future[None]
    ) -> None:
        """Take how far it is, how to post, and how long a fact is tried."""
        self.progress = progress
        self._post, self._letters, self._patience_s, self._failure = post, letters, patience_s, failure
        self._waiting: dict[bytes | None, deque[tuple[Progress, ConsumerRecord]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """How many records are read and not told."""
        return sum(map(len, self._waiting.values()))

    def put(self, record: ConsumerRecord) -> None:
        """Take the next record of the partition.

        One from before shows that the log is shorter than it was (made anew, or its tail lost): its offsets are others' now.
        What waits is told all the same, its lead's first, and counts where it was read.
        """
        if record.offset < self.progress.end:
            self.progress = Progress(record.offset)
        self.progress.read(record.offset)
        if self.progress.is_done(record.offset):
            return
        if record.value is None:  # nothing to tell
            self.progress.done(record.offset)
            return
        queue = self._waiting.get(record.key)
        if queue is not None:
            queue.append((self.progress, record))
            return
        self._waiting[record.key] = deque([(self.progress, record)])
        task = asyncio.create_task(self._lead(record.key))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Give up what is on its way: it was not told, and will be again."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _lead(self, key: bytes | None) -> None:
        """Tell all of one lead, in order."""
        queue = self._waiting[key]
        while queue:
            progress, record = queue[0]
            await self._tell(record)
            progress.done(record.offset)
            queue.popleft()
        del self._waiting[key]

    async def _tell(self, record: ConsumerRecord) -> None:
        """Try until it is told, or patience ends: the last attempt is made at its end, however late the next would be."""
        fact = _fact(record)
        attempts, left_s = 0, self._patience_s
        place = f"{record.topic}/{record.partition}:{record.offset}"  # logs name nobody
        while True:
            failed = await self._post(fact)
            attempts += 1
            if failed is None:
                return
            if failed.gone:
                raise Gone(failed.why)
            if left_s <= 0:
                logger.error("%s: given up after %d attempts: %s", place, attempts, failed.why)
                await self._letters.put(record, attempts, failed.why)
                return
            delay_s = min(left_s, next_delay_s(attempts, failed.retry_after_s, random.random()))  # noqa: S311 - no secret
            left_s -= delay_s
            logger.warning("%s: %s: again in %.0f s", place, failed.why, delay_s)
            await asyncio.sleep(delay_s)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and not self._failure.done():
            self._failure.set_exception(error)


def _fact(record: ConsumerRecord) -> Fact:
    name, usual = CONTENT_TYPE
    kind = parse_kind(dict(record.headers).get(name), usual.decode())
    fallback = f"{record.topic}-{record.partition}-{record.offset}"
    return Fact(parse_id(record.value, fallback), kind, record.value, record.timestamp)
