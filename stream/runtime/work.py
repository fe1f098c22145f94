"""What a table's partition owes Kafka since the last checkpoint."""

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from faust.types import TP

from stream.runtime.batches import Batch, fingerprint
from stream.runtime.producer import Pair


@dataclass(slots=True)
class Position:
    """How far a source partition is done: the next offset, and the last record with its fingerprint."""

    next: int
    last: int = -1
    print: str = ""

    @classmethod
    def behind(cls, batch: Batch) -> "Position":
        """Return the position behind a batch."""
        if not batch.records:
            return cls(batch.next)
        return cls(batch.next, batch.records[-1].offset, fingerprint(batch.records[-1]))


@dataclass(slots=True)
class Work:
    """One partition's share of a checkpoint.

    `outputs` are acknowledgements to await, `rows` lists of changelog records (each list one record batch if `atomic`),
    `positions` the source positions to commit after that. `received` are receive times (ms), for the latency metric.
    """

    changelog: TP
    outputs: list[asyncio.Future[None]] = field(default_factory=list)
    rows: list[list[Pair]] = field(default_factory=list)
    positions: dict[TP, Position] = field(default_factory=dict)
    atomic: bool = False
    received: list[int] = field(default_factory=list)


class Part(Protocol):
    """A partition of a table while it is assigned."""

    @property
    def backlog(self) -> int:
        """How many rows or cuts wait for a checkpoint."""

    @property
    def owes(self) -> bool:
        """Whether a checkpoint has something to do here."""

    def stands(self, tp: TP, at: Position) -> None:
        """Remember where a source stands of which nothing more was read."""

    def take(self) -> Work:
        """Return what is owed, all of one moment, and owe nothing from now on."""
