"""What an installation has in Kafka: its topics' partitions and copies, and the groups that read them."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from stream.errors import UsageError
from stream.ops import group
from stream.ops.commits import TOPIC as COMMITS
from stream.ops.lag import Copies
from stream.runtime.topics import is_embedded, topic_table
from stream.settings import PREFIX, Settings

SOURCES, MORE_SOURCES = ("events", "wakes", "people"), ("members",)
"""What a worker reads; of the second only what it has begun with."""
EVERY_S = 20.0
NOTES = "-replay"
"""The group whose commits are a replay's notes, and no reader's."""


class Inventory:
    """Asked again now and then; raises UsageError where the sources are not there."""

    def __init__(self, settings: Settings, admin: AIOKafkaAdminClient) -> None:
        self._settings, self._admin = settings, admin
        self._at = float("-inf")
        self.embedded = False
        self.places: list[TopicPartition] = []
        """Every partition of the topics that somebody may read."""
        self.groups: list[str] = []
        """Those that have committed there, our own first."""
        self.commit_partitions = 0
        """How many partitions the log of commits has; 0: it cannot be read."""
        self.copies: dict[str, Copies] = {}

    async def refresh(self) -> None:
        """Look again, if it is time."""
        if time.monotonic() - self._at < EVERY_S:
            return
        present, prefix = set(await self._admin.list_topics()), self._settings.topic_prefix
        missing = [prefix + name for name in SOURCES if prefix + name not in present]
        if missing:
            raise UsageError(f"topic {missing[0]} does not exist: run `leadstream topics`, or set {PREFIX}TOPIC_PREFIX")
        self.embedded = await is_embedded(self._admin)
        ours = [topic.name for topic in topic_table(self._settings) if topic.name in present]
        described = {entry["topic"]: entry["partitions"] for entry in await self._admin.describe_topics(ours)}
        self.copies = {name: fewest(described[name]) for name in ours}
        self.places = [
            TopicPartition(name, number)
            for name in ours
            if not name.endswith("-changelog")
            for number in sorted(entry["partition"] for entry in described[name])
        ]
        self.commit_partitions = len(await group.partitions(self._admin, [COMMITS])) if COMMITS in present else 0
        app = self._settings.app
        self.groups = [app, *[name for name in await self._others({app, app + NOTES}) if await self.committed(name)]]
        self._at = time.monotonic()

    async def committed(self, name: str) -> dict[TopicPartition, int]:
        """Return what a group has committed on our topics."""
        return {tp: at.offset for tp, at in (await group.commits(self._admin, name, self.places)).items()}

    def read_by_us(self, committed: Iterable[TopicPartition]) -> list[TopicPartition]:
        """Return what the installation itself reads, topic by topic."""
        prefix, begun = self._settings.topic_prefix, {tp.topic for tp in committed}
        names = [prefix + name for name in SOURCES] + [prefix + name for name in MORE_SOURCES if prefix + name in begun]
        return [tp for name in names for tp in self.places if tp.topic == name]

    async def _others(self, known: set[str]) -> list[str]:
        try:
            return sorted({entry[0] for entry in await self._admin.list_consumer_groups()} - known)
        except KafkaError:
            return []  # not allowed to, or not told


def fewest(partitions: Sequence[Mapping[str, Any]]) -> Copies:
    """Return the copies of the partition that has fewest in sync."""
    pairs = [(len(entry["isr"]), len(entry["replicas"])) for entry in partitions]
    in_sync, replicas = min(pairs, default=(0, 0))
    return Copies(replicas, in_sync)
