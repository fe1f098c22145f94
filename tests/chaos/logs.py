"""A copy of all that an installation holds in Kafka: read once, kept where something is wrong."""

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tests.brokers import Installation, Record

TOPICS = ("events", "wakes", "people", "members", "stage-changes", "account-changes", "lead-states", "dead-letters")
TABLES = ("visitors", "people", "accounts")


@dataclass
class Copy:
    """Topics by the names they have without a prefix."""

    app: str
    prefix: str
    sent: int = 0
    """How many records were sent to `events` from outside."""
    deployed: int = 0
    """How many rulesets were put in force meanwhile."""
    delays: dict[str, int] = field(default_factory=dict)
    """How long after its timestamp (ms) a record lay in `events`, by `partition:offset`, where that was long."""
    topics: dict[str, list[Record]] = field(default_factory=dict)
    committed: dict[str, dict[int, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, installation: Installation) -> "Copy":
        """Read everything."""
        app = installation.app
        made = cls(app, installation.prefix)
        made.topics = {name: installation.read(name) for name in (*TOPICS, *(f"{app}-{table}-changelog" for table in TABLES))}
        return made

    def read(self, topic: str) -> list[Record]:
        """Return the records of a topic."""
        return self.topics[topic]

    def topic(self, name: str) -> str:
        """Return the real name of `events`, `people`, …"""
        return self.prefix + name

    def keep(self, path: Path) -> None:
        """Write it to a file."""
        path.write_bytes(msgspec.msgpack.encode(self))

    @classmethod
    def kept(cls, path: Path) -> "Copy":
        """Read it from such a file."""
        return msgspec.msgpack.decode(path.read_bytes(), type=cls)
