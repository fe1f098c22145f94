"""How commands talk to Kafka: connect or say so in one line, and read a topic to its end."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
)

from stream.cli.quota import waits
from stream.errors import UnreachableError, UsageError
from stream.ops import group
from stream.runtime.checksums import check_fast
from stream.runtime.diagnosis import diagnosed
from stream.runtime.hangup import hangs_up
from stream.settings import Settings, no_topic

T = TypeVar("T")

CONNECT_S = 10.0
LEAST_S, REQUEST_S = 5.0, 40.0
"""How long Kafka may take for one request: as long as the user waits, but not less, nor more than aiokafka gives it."""
FORBIDDEN = (TopicAuthorizationFailedError, GroupAuthorizationFailedError, ClusterAuthorizationFailedError)

_MAX_REQUEST_BYTES = 64 * 1024 * 1024  # let the broker say what is too large
_BATCH_BYTES = 64 * 1024  # far below what a broker accepts: only a record can be too large, never a batch; a quota lets few pass


def run(work: Coroutine[Any, Any, T], way_on: Callable[[], str] = lambda: "see its log, then try again") -> T:
    """Run a command's work; a failure of Kafka's is one line and exit code 3, what it does not allow one and 2.

    `way_on` says behind a failure how far the work came, and what to do.
    """
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        return asyncio.run(work)
    except FORBIDDEN as error:
        raise UsageError(f"Kafka does not allow it: {error}: docs/runbook/acls.md says what each part needs") from error
    except KafkaError as error:
        raise UnreachableError(f"Kafka failed: {error}: {way_on()}") from error


@asynccontextmanager
async def admin_client(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """Connect to administer topics."""
    client = hangs_up(AIOKafkaAdminClient(**settings.client()))
    async with _connected(settings, client.start, client.close):
        yield client


@asynccontextmanager
async def producer_client(settings: Settings, wait_s: float = REQUEST_S, **how: Any) -> AsyncIterator[AIOKafkaProducer]:
    """Connect to send: acknowledged by all replicas within `wait_s`, keys placed as in Java, any size tried."""
    how |= {"max_request_size": _MAX_REQUEST_BYTES, "max_batch_size": _BATCH_BYTES, "request_timeout_ms": _request_ms(wait_s)}
    client = waits(hangs_up(AIOKafkaProducer(**settings.client(), acks="all", linger_ms=5, **how)))
    async with _connected(settings, client.start, client.stop):
        yield client


@asynccontextmanager
async def consumer_client(
    settings: Settings, group: str | None = None, wait_s: float = REQUEST_S
) -> AsyncIterator[AIOKafkaConsumer]:
    """Connect to read partitions; with a group to commit in, but never as a member of it."""
    how = {"enable_auto_commit": False, "auto_offset_reset": "earliest", "fetch_max_wait_ms": 100}
    how |= {"request_timeout_ms": _request_ms(wait_s)}
    check_fast()
    client = hangs_up(AIOKafkaConsumer(**settings.client(), group_id=group, **how))
    async with _connected(settings, client.start, client.stop):
        yield client


async def all_sent(puts: Iterable[Awaitable[Awaitable[T]]]) -> list[Awaitable[T]]:
    """Hand on one record after the other and return what is to be had of each at once: where it lies, or why not.

    Nobody is left unheard behind the first failure, for asyncio shouts about those.
    """
    sent: list[Awaitable[T]] = []
    try:
        for put in puts:
            sent.append(await put)  # noqa: PERF401 -- those before it are heard where one is not taken
    finally:
        await asyncio.gather(*sent, return_exceptions=True)
    return sent


async def require_topic(admin: AIOKafkaAdminClient, name: str) -> None:
    """Raise UsageError where a topic does not exist."""
    if name not in await admin.list_topics():
        raise no_topic(name)


async def partitions_of(admin: AIOKafkaAdminClient, name: str) -> int:
    """Return how many partitions a topic has, whatever PARTITIONS says; raises UsageError where it does not exist."""
    await require_topic(admin, name)
    return len(await group.partitions(admin, [name]))


async def read_to_end(
    consumer: AIOKafkaConsumer, topic: str, partitions: int, since_ms: int | None = None
) -> AsyncIterator[ConsumerRecord]:
    """Yield what lies in a topic now, partition by partition, from a Kafka timestamp on."""
    places = [TopicPartition(topic, number) for number in range(partitions)]
    consumer.assign(places)
    starts, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
    if since_ms is not None:
        found = await consumer.offsets_for_times(dict.fromkeys(places, since_ms))
        starts = {place: at.offset if (at := found.get(place)) else ends[place] for place in places}
    for place in places:
        if starts[place] >= ends[place]:
            continue
        consumer.assign([place])
        consumer.seek(place, starts[place])
        # The high watermark of the answers: the embedded broker's idea of an end is the last batch's beginning.
        while await consumer.position(place) < max(ends[place], consumer.highwater(place) or 0):
            for record in (await consumer.getmany(place, timeout_ms=1000)).get(place, []):
                yield record


async def read_whole(admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer, topic: str) -> AsyncIterator[ConsumerRecord]:
    """Yield what lies in a topic now, in all partitions that it has; raises UsageError where it does not exist."""
    async for record in read_to_end(consumer, topic, await partitions_of(admin, topic)):
        yield record


def _request_ms(wait_s: float) -> int:
    return int(1000 * min(max(wait_s, LEAST_S), REQUEST_S))


@asynccontextmanager
async def _connected(settings: Settings, start: Any, stop: Any) -> AsyncIterator[None]:
    try:
        try:
            await asyncio.wait_for(start(), CONNECT_S)
        except (KafkaError, OSError, TimeoutError) as error:
            raise await diagnosed(settings) from error
        yield
    finally:
        await stop()
