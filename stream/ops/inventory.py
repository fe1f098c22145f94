"""What an installation has in Kafka: its topics' partitions and copies, and the groups that read them."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiokafka import OffsetAndMetadata, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from stream.ops import group
from stream.ops.lag import Copies
from stream.runtime.settled import COMMITS
from stream.runtime.topics import is_embedded, sources, topic_table
from stream.settings import Settings, no_topic

LATER = "members"
"""What a worker may not have begun to read yet."""
NOTES = "-replay"
"""The group whose commits are a replay's notes, and no reader's."""
COPYING = "leadstream copy"
"""The metadata of commits that say how far `copy` came: it ends, and what comes later keeps nobody waiting."""
COMMITS_S, GROUPS_S = 8.0, 3.0
"""How long it is waited for the broker that keeps a group's commits, and for one that names its groups."""


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
        self.leaderless: set[TopicPartition] = set()
        """Partitions that nobody can read or write, of the log of commits too."""

    async def refresh(self) -> None:
        """Look."""
        present, later = set(await group.anyone(self._admin.list_topics)), self._settings.topic(LATER)
        missing = [name for name in sources(self._settings) if name not in present and name != later]
        if missing:
            raise no_topic(missing[0])
        self.embedded = await group.anyone(lambda: is_embedded(self._admin))
        known = [topic for topic in topic_table(self._settings) if topic.name in present]
        ours = [topic.name for topic in known]
        asked = [*ours, *({COMMITS} & present)]
        told = await group.anyone(lambda: self._admin.describe_topics(asked))
        described = {entry["topic"]: entry["partitions"] for entry in told}
        copies = {name: fewest(described[name]) for name in ours}
        places = [
            TopicPartition(name, number)
            for name in ours
            if not name.endswith("-changelog")
            for number in sorted(entry["partition"] for entry in described[name])
        ]
        app = self._settings.app
        others = [name for name in await self._others({app, app + NOTES}) if await self._is_reader(name, places)]
        self.copies, self.places, self.groups = copies, places, [app, *others]
        self.commit_partitions = len(described.get(COMMITS, ()))
        self.leaderless = {
            TopicPartition(topic, one["partition"]) for topic, ones in described.items() for one in ones if one["leader"] < 0
        }
        self.compacted = {topic.name for topic in known if "compact" in topic.config.get("cleanup.policy", "")}

    async def committed(self, name: str) -> dict[TopicPartition, int] | None:
        """Return what a group has committed on our topics; None where the broker that keeps it does not say."""
        found = await self._commits(name, self.places)
        return None if found is None else {tp: at.offset for tp, at in found.items()}

    async def _is_reader(self, name: str, places: list[TopicPartition]) -> bool:
        found = await self._commits(name, places) or {}
        return any(at.metadata != COPYING for at in found.values())

    async def _commits(self, name: str, places: list[TopicPartition]) -> dict[TopicPartition, OffsetAndMetadata] | None:
        try:
            async with asyncio.timeout(COMMITS_S):
                return await group.anyone(lambda: group.commits(self._admin, name, places))
        except (*group.GONE, TimeoutError):
            return None

    def read_by_us(self, committed: Iterable[TopicPartition]) -> list[TopicPartition]:
        """Return what the installation itself reads, topic by topic."""
        later, begun = self._settings.topic(LATER), {tp.topic for tp in committed}
        names = [name for name in sources(self._settings) if name != later or later in begun]
        return [tp for name in names for tp in self.places if tp.topic == name]

    async def _others(self, known: set[str]) -> list[str]:
        """Return the names of other groups, as each broker tells those it keeps; nothing where we may not know, or it is gone."""

        async def kept_by(broker: int) -> set[str]:
            try:
                return {entry[0] for entry in await asyncio.wait_for(self._admin.list_consumer_groups([broker]), GROUPS_S)}
            except (KafkaError, TimeoutError):
                return set()

        brokers = (await group.anyone(self._admin.describe_cluster))["brokers"]
        names = await asyncio.gather(*(kept_by(one["node_id"]) for one in brokers))
        return sorted(set[str]().union(*names) - known)


def fewest(partitions: Sequence[Mapping[str, Any]]) -> Copies:
    """Return the copies of the partition that has fewest in sync: none where nobody leads, whoever was the last in sync."""
    pairs = [(len(entry["isr"]) if entry["leader"] >= 0 else 0, len(entry["replicas"])) for entry in partitions]
    in_sync, replicas = min(pairs, default=(0, 0))
    return Copies(replicas, in_sync)
