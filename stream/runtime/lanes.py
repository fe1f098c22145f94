"""Ordered sending: one lane a target partition. Concurrent sends of batches to one partition have no order."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from stream.runtime import refusals
from stream.runtime.fatal import die
from stream.runtime.large import LARGE, Headers, compressing, fits, size_of
from stream.runtime.producer import BatchProducer
from stream.runtime.quota import Quota

MAX_BYTES = 8 * 1024 * 1024
"""How much may wait for its acknowledgement before nothing more is read, where no quota makes it less."""
TURNS_TO_LEAVE = 6
"""Turns of the loop from a lane over aiokafka's accumulator and sender to the socket: each would wait for another batch to be
applied."""
MESSAGE_BYTES = 200
"""What a message takes in memory beside its bytes."""
_NONE: Headers = []


class Message(NamedTuple):
    """A record to send; `at_ms` is its Kafka timestamp, None: the time of sending."""

    key: bytes | None
    value: bytes | None
    headers: Headers = _NONE
    at_ms: int | None = None

    @property
    def size(self) -> int:
        """At most how many bytes it takes as it is: key, value and headers."""
        return size_of(self.key, self.value, self.headers)

    def fits(self, limit: int) -> bool:
        """Tell whether a topic whose record batches have at most `limit` bytes takes it."""
        return fits(self.key, self.value, self.headers, limit)


class Lane:
    """All sends to one partition: what is put first is acknowledged first."""

    def __init__(self, producer: Callable[[], BatchProducer], guard: Callable[[], None], topic: str, partition: int) -> None:
        self._producer, self._guard, self._topic, self._partition = producer, guard, topic, partition
        self._waiting: list[tuple[Sequence[Message], asyncio.Future[None]]] = []
        self._wake = asyncio.Event()
        self._task = asyncio.ensure_future(self._run())

    def put(self, messages: Sequence[Message]) -> asyncio.Future[None]:
        """Queue messages; the future is done when Kafka has acknowledged all of them."""
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((messages, acknowledged))
        self._wake.set()
        return acknowledged

    def stop(self) -> None:
        """Send nothing more."""
        self._task.cancel()

    async def _run(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                waiting, self._waiting = self._waiting, []
                self._guard()
                await self._send_all(waiting)
        except asyncio.CancelledError:
            raise
        except BaseException as cause:  # noqa: BLE001 - a message that cannot be sent is lost
            die(cause)

    async def _send_all(self, waiting: list[tuple[Sequence[Message], asyncio.Future[None]]]) -> None:
        kafka, now = self._producer()._ensure_producer(), int(time.time() * 1000)
        batch, count = kafka.create_batch(), 0
        complete: list[asyncio.Future[None]] = []
        for messages, acknowledged in waiting:
            for key, value, headers, at_ms in messages:
                at = now if at_ms is None else at_ms
                if size_of(key, value, headers) > LARGE:
                    await self._send(batch, count, complete)
                    batch, count, complete = kafka.create_batch(), 0, []
                    batch._builder = compressing()
                if batch._builder.append(count, at, key, value, headers) is None:
                    await self._send(batch, count, complete)
                    batch, count, complete = kafka.create_batch(), 0, []
                    batch._builder.append(0, at, key, value, headers)  # the first one always fits
                count += 1
            complete.append(acknowledged)
        await self._send(batch, count, complete)

    async def _send(self, batch: Any, count: int, complete: list[asyncio.Future[None]]) -> None:
        if not count and not complete:
            return
        batch._relative_offset = count
        batch.close()
        sent = await self._producer()._ensure_producer().send_batch(batch, self._topic, partition=self._partition)
        sent.add_done_callback(lambda ack: self._acknowledge(ack, batch, complete))

    def _acknowledge(self, ack: "asyncio.Future[Any]", batch: Any, complete: list[asyncio.Future[None]]) -> None:
        if ack.cancelled():
            return  # the loop is closing; nobody waits any more
        if (cause := ack.exception()) is not None:
            die(refusals.of_sending(cause, self._topic, self._partition, batch.size()))
        for acknowledged in complete:
            if not acknowledged.done():
                acknowledged.set_result(None)


class Outbox:
    """The lanes of a worker. `guard` raises where this process should not send any more; `goes_on` hears of acknowledgements.

    `quota` says how much of `MAX_BYTES` may wait.
    """

    def __init__(
        self,
        producer: Callable[[], BatchProducer],
        guard: Callable[[], None],
        goes_on: Callable[[], None] = lambda: None,
        quota: Quota | None = None,
    ) -> None:
        self._producer, self._guard, self._goes_on, self._quota = producer, guard, goes_on, quota or Quota()
        self._lanes: dict[tuple[str, int], Lane] = {}
        self.waiting = 0
        """Bytes that are not acknowledged yet."""
        self.acknowledged = 0
        """How often Kafka has acknowledged something."""
        self._freed = asyncio.Event()

    def put(self, topic: str, partition: int, messages: Sequence[Message]) -> asyncio.Future[None]:
        """Send messages in order behind all that was put for this partition before."""
        lane = self._lanes.get((topic, partition))
        if lane is None:
            lane = self._lanes[topic, partition] = Lane(self._producer, self._guard, topic, partition)
        size = sum([message.size for message in messages]) + MESSAGE_BYTES * len(messages)
        self.waiting += size
        acknowledged = lane.put(messages)
        acknowledged.add_done_callback(lambda _: self._free(size))
        return acknowledged

    async def room(self) -> None:
        """Let what was put leave, and wait while too much waits for its acknowledgement."""
        for _ in range(TURNS_TO_LEAVE if self.waiting else 0):
            await asyncio.sleep(0)
        while self.waiting > self._quota.part_of(MAX_BYTES):
            self._freed.clear()
            await self._freed.wait()

    def _free(self, size: int) -> None:
        self.waiting -= size
        self.acknowledged += 1
        self._freed.set()
        self._goes_on()

    def stop(self) -> None:
        """End all lanes."""
        for lane in self._lanes.values():
            lane.stop()
        self._lanes.clear()
