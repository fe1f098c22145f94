"""The producer: idempotent, and able to send a record batch as it was put together."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from aiokafka.producer.message_accumulator import BatchBuilder
from faust.transport.drivers import aiokafka as driver

from stream.runtime.fatal import die
from stream.runtime.hangup import hangs_up
from stream.runtime.murmur import murmur2
from stream.runtime.portions import in_portions
from stream.runtime.quota import obeys
from stream.runtime.reaching import reaching
from stream.runtime.watchdog import Stale

if TYPE_CHECKING:
    from stream.runtime.flow import Flow

Pair = tuple[bytes | None, bytes | None]
COMPRESSION_NONE = 0
PIECE_BYTES = 128 * 1024
"""Of a changelog at once: a broker is sent one request after the other, and what people hear of waits behind it."""


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition the Java client sends `key` to.

    >>> partition_of(b"user::42", 8)
    2
    """
    return (murmur2(key) & 0x7FFFFFFF) % partitions


class BatchProducer(driver.Producer):
    """Faust's producer without its flush that gives up after 100 ms."""

    def _settings_extra(self) -> dict[str, Any]:
        return {"acks": "all", "enable_idempotence": getattr(self.app, "idempotent", True)}

    async def on_start(self) -> None:
        """Start, and look at the watchdog before each request leaves: what waits in here was put before a freeze."""
        with reaching(self.app):
            await super().on_start()
        if self._producer is None:
            return  # asked to end meanwhile: the start is cancelled as soon as all has stopped
        flow: Flow = self.app.flow  # type: ignore[attr-defined]  # every app of ours has one
        client, watchdog = hangs_up(in_portions(self._producer)).client, flow.watchdog
        send = client.send

        async def watched(node: Any, request: Any, **how: Any) -> Any:
            if watchdog.started:
                try:
                    watchdog.check()
                except Stale as cause:
                    die(cause)
            return await send(node, request, **how)

        client.send = watched
        obeys(self._producer, flow.quota, lambda: flow.deadline.moved_at)  # looked at behind the wait, not before

    async def send_many(
        self, topic: str, partition: int, records: Iterable[Pair], at_ms: int, *, whole: bool = False
    ) -> list[tuple[Any, int, Callable[[], int]]]:
        """Send records to one partition in order, `whole` in as few batches as fit; return [(acknowledgement, count, bytes)]."""
        kafka, acks, rest = self._ensure_producer(), [], iter(records)
        record = next(rest, None)
        while record is not None:
            batch, count = kafka.create_batch() if whole else BatchBuilder(PIECE_BYTES, COMPRESSION_NONE), 0
            append = batch._builder.append  # the C builder: half the price of BatchBuilder.append
            while record is not None and append(count, at_ms, record[0], record[1], []) is not None:
                count += 1
                record = next(rest, None)
            batch._relative_offset = count
            batch.close()
            acks.append((await kafka.send_batch(batch, topic, partition=partition), count, batch.size))
        return acks

    async def flush(self) -> None:
        """Send what aiokafka holds; nothing here relies on it."""
        if self._producer is not None:
            await self._producer.flush()

    async def partitions_for(self, topic: str) -> int:
        """Return how many partitions a topic has."""
        return len(await self._ensure_producer().partitions_for(topic))
