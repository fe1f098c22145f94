"""What an installation has in Kafka: its topics' partitions and copies, and the groups that read them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from stream.ops import group
from stream.ops.commits import TOPIC as COMMITS
from stream.ops.lag import Copies
from stream.runtime.topics import is_embedded, topic_table
from stream.settings import Settings, no_topic

SOURCES, MORE_SOURCES = ("events", "wakes", "people"), ("members",)
"""What a worker reads; of the second only what it has begun with."""
NOTES = "-replay"
"""The group whose commits are a replay's notes, and no reader's."""


class Inventory:
    """Looks when asked to; raises UsageError where the sources are not there."""

    def __init__(self, settings: Settings, admin: AIOKafkaAdminClient) -> None:
        self._settings, self._admin = settings, admin
        self.embedded = False
        self.places: list[TopicPartition] = []
        """Every partition of the topics that somebody may read."""
        self.groups: list[str] = []
        """Those that have committed there, our own first."""
        self.commit_partitions = 0
        """How many partitions the log of commits has; 0: it cannot be read."""
        self.copies: dict[str, Copies] = {}
        self.compacted: set[str] = set()
        """The topics among them that are compacted."""

    async def refresh(self) -> None:
        """Look."""
        present, prefix = set(await self._admin.list_topics()), self._settings.topic_prefix
        missing = [prefix + name for name in SOURCES if prefix + name not in present]
        if missing:
            raise no_topic(missing[0])
        self.embedded = await is_embedded(self._admin)
        known = [topic for topic in topic_table(self._settings) if topic.name in present]
        ours = [topic.name for topic in known]
        described = {entry["topic"]: entry["partitions"] for entry in await self._admin.describe_topics(ours)}
        copies = {name: fewest(described[name]) for name in ours}
        places = [
            TopicPartition(name, number)
            for name in ours
            if not name.endswith("-changelog")
            for number in sorted(entry["partition"] for entry in described[name])
        ]
        commit_partitions = len(await group.partitions(self._admin, [COMMITS])) if COMMITS in present else 0
        app = self._settings.app
        others = [name for name in await self._others({app, app + NOTES}) if await self._commits(name, places)]
        self.copies, self.places, self.groups, self.commit_partitions = copies, places, [app, *others], commit_partitions
        self.compacted = {topic.name for topic in known if "compact" in topic.config.get("cleanup.policy", "")}

    async def committed(self, name: str) -> dict[TopicPartition, int]:
        """Return what a group has committed on our topics."""
        return await self._commits(name, self.places)

    async def _commits(self, name: str, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {tp: at.offset for tp, at in (await group.commits(self._admin, name, places)).items()}

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
