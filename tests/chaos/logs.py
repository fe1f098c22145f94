"""A copy of all that an installation holds in Kafka: read once, kept where something is wrong."""

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tests.brokers import Installation, Record

TOPICS = ("events", "wakes", "people", "stage-changes", "lead-states", "dead-letters")


@dataclass
class Copy:
    """Topics by the names they have without a prefix."""

    app: str
    prefix: str
    topics: dict[str, list[Record]] = field(default_factory=dict)
    committed: dict[str, dict[int, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, installation: Installation) -> "Copy":
        """Read everything."""
        app = installation.app
        changelogs = (f"{app}-visitors-changelog", f"{app}-people-changelog")
        return cls(app, installation.prefix, {name: installation.read(name) for name in (*TOPICS, *changelogs)})

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
