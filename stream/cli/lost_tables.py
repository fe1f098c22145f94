"""Tables that are cut atomically and lost rows: half of one is none, so that what is left goes, and it is made anew."""

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from faust.types import TP

from stream.cli.connections import read_to_end
from stream.domain.ownrows import META, LogRow, log_row
from stream.ops import group
from stream.ops.survey import Looked
from stream.runtime.misfits import CHANGELOG_CUT, CHANGELOG_LOST
from stream.runtime.resume import EPOCH_BITS, Mark


async def empty(consumer: AIOKafkaConsumer, producer: AIOKafkaProducer, changelog: TP) -> None:
    """Remove the rows that are left of a table."""
    topic, partition = changelog
    keys = {record.key: record.value async for record in read_to_end(consumer, topic, partition + 1)}
    for key, value in keys.items():
        if key is not None and value is not None:
            await producer.send(topic, None, key=key, partition=partition)
    await producer.flush()


def is_torn(looked: Looked) -> bool:
    """Tell whether an atomic table must be made anew; one that only lost its newest batches goes on where the others end."""
    kinds = {met.kind for met in looked.met}
    return CHANGELOG_CUT in kinds or (CHANGELOG_LOST in kinds and looked.found.state_at is None)


async def greatest_number(admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer, facts: str) -> int:
    """Return a number that no fact in a topic has passed: no subject has more facts than were ever appended to a partition."""
    ends = await consumer.end_offsets(await group.partitions(admin, [facts]))
    return max(ends.values(), default=0)


async def number_on(producer: AIOKafkaProducer, changelog: TP, position: int, mark: Mark, number: int) -> None:
    """Let a table that is made anew from a position on number its facts behind a number."""
    row = log_row(LogRow(mark.epoch << EPOCH_BITS | position, numbers=number))
    await producer.send_and_wait(changelog.topic, row, key=META, partition=changelog.partition)
