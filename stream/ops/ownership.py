"""Whose topics and tables are: an app's tables are made from one prefix's topics, and these belong to one app."""

import asyncio

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupAuthorizationFailedError, GroupCoordinatorNotAvailableError

from stream.errors import UsageError
from stream.ops import group
from stream.runtime.misfits import OTHER_APP, OTHER_PREFIX, misfit
from stream.runtime.resume import read_mark
from stream.runtime.topics import TABLE_OF, changelog, sources
from stream.settings import Settings

OWN_S, OTHERS_S = group.FOUND_S, 5.0
"""How long it is waited for what our own group, and another one, has committed."""
_PEOPLE_LOG = changelog("", "people")


async def require_own(admin: AIOKafkaAdminClient, settings: Settings) -> None:
    """Raise UsageError where a newcomer has names of others: the APP of another prefix, or the TOPIC_PREFIX of a living app.

    Groups of ours commit what they read, and nobody else writes such commits. Who has committed here is no newcomer; an app
    without a worker may be followed by another one. The embedded broker, which keeps no such notes, cannot be asked.
    Raises KafkaError where Kafka cannot tell what our own group has committed: no word is not "nothing".
    """
    names = await group.anyone(admin.list_topics)
    places = await group.partitions(admin, [name for name in names if name.endswith(tuple(TABLE_OF))])
    own, read = set(sources(settings)), await _read_by(admin, settings.app, places, OWN_S)
    if own & read:
        return
    if read:
        raise UsageError(str(misfit(OTHER_PREFIX, app=settings.app, topic=min(read))))
    apps = {name.removesuffix(_PEOPLE_LOG) for name in names if name.endswith(_PEOPLE_LOG)} - {settings.app}
    for app, theirs in zip(apps, await asyncio.gather(*(_read_by_another(admin, app, places) for app in apps)), strict=True):
        if own & theirs and await group.members(admin, app) != 0:
            raise UsageError(str(misfit(OTHER_APP, app=app, topic=min(own & theirs))))


async def _read_by_another(admin: AIOKafkaAdminClient, app: str, places: list[TopicPartition]) -> set[str]:
    """Return what another app has read; nothing where Kafka does not tell: whose commits are out of reach keeps nobody out."""
    try:
        return await _read_by(admin, app, places, OTHERS_S)
    except GroupCoordinatorNotAvailableError:
        return set()


async def _read_by(admin: AIOKafkaAdminClient, app: str, places: list[TopicPartition], within_s: float) -> set[str]:
    """Return the topics that workers of an app have read; none where we may not know: its tables tell the same later."""
    if not places:
        return set()
    try:
        async with group.answering(app, within_s):
            while True:
                try:
                    commits = await group.commits(admin, app, places)
                    return {tp.topic for tp, at in commits.items() if read_mark(at.metadata or "") is not None}
                except group.GONE:
                    await asyncio.sleep(group.AGAIN_S)
    except GroupAuthorizationFailedError:
        return set()
