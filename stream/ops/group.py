"""The consumer group of an installation, as Kafka tells it: works whether a worker lives or not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TypeVar

from aiokafka import OffsetAndMetadata, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    KafkaConnectionError,
    KafkaError,
    NodeNotReadyError,
    NotCoordinatorForGroupError,
    RequestTimedOutError,
    for_code,
)

T = TypeVar("T")
AGAIN_S = 0.2
NOT_YET = (GroupCoordinatorNotAvailableError, GroupLoadInProgressError, NotCoordinatorForGroupError)
"""A cluster answers so until it has made, or moved, the place where it keeps commits."""
GONE = (NodeNotReadyError, KafkaConnectionError, RequestTimedOutError)
FOUND_S = 30.0
"""How long Kafka may look for a new place of a group's commits when it has lost the broker that kept them."""
TRIES = 6
"""Of three brokers one may be gone, and any of them is asked: six times the one that is gone happens once in 729."""


async def anyone(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask what any broker can answer, again where the one that was asked is gone."""
    for _ in range(TRIES - 1):
        try:
            return await ask()
        except GONE:
            await asyncio.sleep(AGAIN_S / 2)
    return await ask()


async def partitions(admin: AIOKafkaAdminClient, topics: Iterable[str]) -> list[TopicPartition]:
    """Return the partitions of topics that exist, in order."""
    names = list(topics)
    described = {entry["topic"]: entry for entry in await anyone(lambda: admin.describe_topics(names))}
    return [
        TopicPartition(name, number)
        for name in names
        for number in sorted(entry["partition"] for entry in described[name]["partitions"])
    ]


async def leaders(admin: AIOKafkaAdminClient, topics: Iterable[str]) -> dict[TopicPartition, int]:
    """Return the broker that leads each partition; where there is none nobody can read or write."""
    names = list(topics)
    described = await anyone(lambda: admin.describe_topics(names))
    placed = [
        (TopicPartition(entry["topic"], one["partition"]), one["leader"]) for entry in described for one in entry["partitions"]
    ]
    return {place: leader for place, leader in placed if leader >= 0}


@asynccontextmanager
async def answering(group: str, within_s: float = FOUND_S) -> AsyncIterator[None]:
    """Raise GroupCoordinatorNotAvailableError where what a group is asked takes longer: aiokafka asks for ever who keeps it."""
    try:
        async with asyncio.timeout(within_s):
            yield
    except TimeoutError as error:
        raise GroupCoordinatorNotAvailableError(f"of the group {group}") from error


async def commits(
    admin: AIOKafkaAdminClient, group: str, places: list[TopicPartition], within_s: float = FOUND_S
) -> dict[TopicPartition, OffsetAndMetadata]:
    """Return what the group committed; a partition without a commit is left out.

    aiokafka says nothing of an error of the whole group's: then the answer names no partition, which is no word on commits.
    Raises GroupCoordinatorNotAvailableError where nobody keeps them for so long.
    """
    async with answering(group, within_s):
        while True:
            try:
                found = await admin.list_consumer_group_offsets(group, partitions=places)
                if found.keys() >= set(places):
                    return {tp: at for tp, at in found.items() if at.offset >= 0}
                await _require_told(admin, group)
            except NOT_YET:
                pass
            await asyncio.sleep(AGAIN_S)


async def _require_told(admin: AIOKafkaAdminClient, group: str) -> None:
    """Raise what Kafka has against telling us of a group."""
    for answer in await admin.describe_consumer_groups([group]):
        for described in answer.groups:
            if described[0]:
                raise for_code(described[0])(f"of the group {group}")


async def members(admin: AIOKafkaAdminClient, group: str) -> int | None:
    """Return how many workers are in the group; None where the broker does not tell."""
    try:
        answers = await admin.describe_consumer_groups([group])
    except KafkaError:
        return None
    groups = [one for answer in answers for one in answer.groups]
    return sum(len(one[5]) for one in groups) if groups and not groups[0][0] else None
