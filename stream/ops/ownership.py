"""Whose topics and tables are: an app's tables are made from one prefix's topics, and these belong to one app."""

import asyncio

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from stream.errors import UsageError
from stream.ops import group
from stream.runtime.misfits import OTHER_APP, OTHER_PREFIX, misfit
from stream.runtime.resume import read_mark
from stream.runtime.topics import changelog, sources
from stream.settings import Settings

_PEOPLE_LOG = changelog("", "people")


async def require_own(admin: AIOKafkaAdminClient, settings: Settings) -> None:
    """Raise UsageError where a newcomer has names of others: the APP of another prefix, or the TOPIC_PREFIX of a living app.

    Groups of ours commit what they read, and nobody else writes such commits. Who has committed here is no newcomer; an app
    without a worker may be followed by another one. The embedded broker, which keeps no such notes, cannot be asked.
    """
    own, read = sources(settings), await _read_by(admin, settings.app)
    if own & read:
        return
    if read:
        raise UsageError(str(misfit(OTHER_PREFIX, app=settings.app, topic=min(read))))
    names = await admin.list_topics()
    apps = [name.removesuffix(_PEOPLE_LOG) for name in names if name.endswith(_PEOPLE_LOG)]
    for app, theirs in zip(apps, await asyncio.gather(*(_read_by(admin, app) for app in apps)), strict=True):
        if own & theirs and await group.members(admin, app) != 0:
            raise UsageError(str(misfit(OTHER_APP, app=app, topic=min(own & theirs))))


async def _read_by(admin: AIOKafkaAdminClient, app: str) -> set[str]:
    """Return the topics that workers of an app have read; none where Kafka does not tell."""
    try:
        commits = await admin.list_consumer_group_offsets(app)
    except KafkaError:  # not allowed, or not yet: a worker's own group it needs anyway, and its tables tell the same
        return set()
    return {tp.topic for tp, at in commits.items() if at.offset >= 0 and read_mark(at.metadata or "") is not None}
