"""Tables that are cut atomically and lost rows: half of one is none, so that what is left goes, and it is made anew."""

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from faust.types import TP

from stream.cli.connections import read_to_end
from stream.domain.editions import Edition, Editions
from stream.domain.head import EPOCH_BITS
from stream.domain.ownrows import LogRow, OwnRows
from stream.domain.state import NEVER
from stream.ops import group
from stream.ops.survey import Looked
from stream.runtime.misfits import CHANGELOG_CUT, CHANGELOG_LOST
from stream.runtime.resume import MARK_KEY, Mark


async def empty(consumer: AIOKafkaConsumer, producer: AIOKafkaProducer, changelog: TP) -> None:
    """Remove the rows that are left of a table; the marks stay, which say how far its sources were read."""
    topic, partition = changelog
    keys = {record.key: record.value async for record in read_to_end(consumer, topic, partition + 1)}
    for key, value in keys.items():
        if key is not None and value is not None and not key.startswith(MARK_KEY):
            await producer.send(topic, None, key=key, partition=partition)
    await producer.flush()


def is_torn(looked: Looked) -> bool:
    """Tell whether an atomic table must be made anew; one that only lost its newest batches goes on where the others end.

    A batch that is ahead of the newest mark may come from a worker that had not noticed yet: batches are missing before it.
    """
    kinds, state_at = {met.kind for met in looked.met}, looked.found.state_at
    at, mark = looked.found.stored or (0, Mark())
    misses_some = state_at is None or state_at > (mark.epoch << EPOCH_BITS | at)
    return CHANGELOG_CUT in kinds or (CHANGELOG_LOST in kinds and misses_some)


async def greatest_number(admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer, facts: str) -> int:
    """Return a number that no fact in a topic has passed: no subject has more facts than were ever appended to a partition."""
    ends = await consumer.end_offsets(await group.partitions(admin, [facts]))
    return max(ends.values(), default=0)


async def begin(producer: AIOKafkaProducer, changelog: TP, log: LogRow, in_force: Edition | None) -> None:
    """Let a table that is made anew begin as `log` says, judged by the ruleset in force, the log's own row last."""
    own = OwnRows({})
    if in_force is not None:
        own.keep_editions(Editions([Edition(in_force.place, NEVER, in_force.text)]))
    for key, row in own.cut_own(log):
        await producer.send_and_wait(changelog.topic, row, key=key, partition=changelog.partition)
