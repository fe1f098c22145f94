"""What stands in the people log and no worker has read: an operator's words and rulesets, which must not be lost with a table."""

from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.agents.headers import RESYNC
from stream.domain import log
from stream.errors import UsageError
from stream.runtime.misfits import RECORD_FORMAT, misfit

READ_MS = 1000
WORDS = log.Erasing | log.Linking | log.Unlinking


async def unread(
    consumer: AIOKafkaConsumer, place: TopicPartition, since: int, until: int, *, rules_since: int | None = None
) -> list[log.Record]:  # fmt: skip
    """Return the newest ruleset between two offsets, then each word in the order first said; what a resync wrote is none.

    `rules_since` is from where on a ruleset counts, where it was read and is not known everywhere. Raises UsageError for a
    record that this release cannot read.
    """
    rules: log.Deployment | None = None
    words: dict[str, log.Record] = {}
    consumer.assign([place])
    consumer.seek(place, since if rules_since is None else min(since, rules_since))
    while await consumer.position(place) < until:
        for record in (await consumer.getmany(place, timeout_ms=READ_MS)).get(place, []):
            if record.offset >= until or RESYNC in record.headers:
                continue
            try:
                said = log.decode(record.value or b"")
            except log.Unreadable as error:
                where = f"{place.topic}-{place.partition}"
                raise UsageError(str(misfit(RECORD_FORMAT, where=where, offset=record.offset, what=error))) from error
            if isinstance(said, log.Deployment):
                rules = said
            elif isinstance(said, WORDS) and record.offset >= since:
                words.setdefault(said.word, said)
    return [*([] if rules is None else [rules]), *words.values()]
