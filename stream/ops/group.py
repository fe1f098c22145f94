"""The consumer group of an installation, as Kafka tells it: works whether a worker lives or not."""

import asyncio
from collections.abc import Iterable

from aiokafka import OffsetAndMetadata, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    KafkaError,
    NotCoordinatorForGroupError,
)

AGAIN_S = 0.2
NOT_YET = (GroupCoordinatorNotAvailableError, GroupLoadInProgressError, NotCoordinatorForGroupError)
"""A cluster answers so until it has made, or moved, the place where it keeps commits."""


async def partitions(admin: AIOKafkaAdminClient, topics: Iterable[str]) -> list[TopicPartition]:
    """Return the partitions of topics that exist, in order."""
    names = list(topics)
    described = {entry["topic"]: entry for entry in await admin.describe_topics(names)}
    return [
        TopicPartition(name, number)
        for name in names
        for number in sorted(entry["partition"] for entry in described[name]["partitions"])
    ]


async def commits(
    admin: AIOKafkaAdminClient, group: str, places: list[TopicPartition]
) -> dict[TopicPartition, OffsetAndMetadata]:  # fmt: skip
    """Return what the group committed; a partition without a commit is left out."""
    found = None
    while found is None:
        try:
            found = await admin.list_consumer_group_offsets(group, partitions=places)
        except NOT_YET:
            await asyncio.sleep(AGAIN_S)
    return {tp: at for tp, at in found.items() if at.offset >= 0}


async def members(admin: AIOKafkaAdminClient, group: str) -> int | None:
    """Return how many workers are in the group; None where the broker does not tell."""
    try:
        answers = await admin.describe_consumer_groups([group])
    except KafkaError:
        return None
    groups = [one for answer in answers for one in answer.groups]
    return sum(len(one[5]) for one in groups) if groups and not groups[0][0] else None
