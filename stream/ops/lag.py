"""How far groups are behind: what is told of a partition, of a group, of an installation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, Self

from aiokafka import TopicPartition

from stream.ops.clock import Clock
from stream.ops.evaluator import Status, rolled_up

SHORTEST_REST_S = 0.1


@dataclass(frozen=True, slots=True)
class Lag:
    """One partition: `committed` None: nothing yet; `end` is the next offset to be written; `seconds` for how long the oldest
    record behind the commit lies there, None where that is not known; `complete` how much is known of its last commits; `note`
    what hinders it, or us. Of one that Kafka does not tell of, `end`, `records` and `seconds` are None.
    """  # noqa: D205 -- one thought

    topic: str
    partition: int
    committed: int | None
    end: int | None
    records: int | None
    seconds: float | None
    status: str
    complete: float = 1.0
    note: str = ""

    @classmethod
    def unknown(cls, place: TopicPartition, committed: int | None, end: int | None, why: str) -> Self:
        """Return what is told of one of which Kafka does not say enough."""
        note = f"{why}: its lag is not known"
        return cls(place.topic, place.partition, committed, end, None, None, Status.UNKNOWN, 0.0, note)

    def document(self) -> dict[str, Any]:
        """Return what `/v1/lag` tells of it."""
        return {
            "topic": self.topic,
            "partition": self.partition,
            "status": str(self.status),
            "committed": self.committed,
            "end": self.end,
            "lag": self.records,
            "lagSeconds": self.seconds,
        }


@dataclass(frozen=True, slots=True)
class GroupLag:
    """A consumer group and the partitions of ours that it reads."""

    group: str
    lags: Sequence[Lag] = ()

    @property
    def status(self) -> Status:
        """The worst of its partitions'; ERR where one stands, has stopped, gone back, or cannot be told of."""
        return rolled_up(Status(lag.status) for lag in self.lags)

    @property
    def complete(self) -> float:
        """How much is known of the least known partition."""
        return min((lag.complete for lag in self.lags), default=1.0)

    def document(self) -> dict[str, Any]:
        """Return what `/v1/lag` tells of it."""
        return {
            "group": self.group,
            "status": str(self.status),
            "complete": round(self.complete, 3),
            "partitions": [lag.document() for lag in self.lags],
        }


@dataclass(frozen=True, slots=True)
class Copies:
    """A topic's partition with the fewest copies: how many there are, and how many are in sync."""

    replicas: int
    in_sync: int


@dataclass(frozen=True, slots=True)
class Report:
    """The installation's own partitions, the clock, the other groups on its topics, how many copies topics have."""

    lags: Sequence[Lag] = ()
    clock: Clock = field(default_factory=Clock)
    others: Sequence[GroupLag] = ()
    copies: Mapping[str, Copies] = field(default_factory=dict)
    due_ms: float = inf
    """When a partition that has committed nothing by then has stopped: a look then says so at once."""
    elsewhere: Sequence[Lag] = ()
    """Partitions of other workers' that have stopped or cannot be told of: who has stopped may not tell so itself."""

    @property
    def status(self) -> Status:
        """How the installation's own group is doing."""
        return GroupLag("", self.lags).status

    @property
    def notes(self) -> dict[str, str]:
        """What hinders partitions, or us, by their names."""
        told = [*self.lags, *(lag for other in self.others for lag in other.lags)]
        return {f"{lag.topic}-{lag.partition}": lag.note for lag in told if lag.note}

    def rest_s(self, longest_s: float, now_ms: float) -> float:
        """Return after how long to look again (s).

        >>> Report().rest_s(1, 0), Report(due_ms=5_400).rest_s(1, 5_000), Report(due_ms=5_001).rest_s(1, 5_000)
        (1, 0.401, 0.1)
        """
        return min(longest_s, max(SHORTEST_REST_S, (self.due_ms + 1 - now_ms) / 1000))

    def document(self) -> dict[str, Any]:
        """Return the report as `/v1/lag` and `lag --json` tell it."""
        own = {"partitions": [lag.document() for lag in self.lags], **self.clock.document(), "status": str(self.status)}
        return own | {"groups": [other.document() for other in self.others]}
