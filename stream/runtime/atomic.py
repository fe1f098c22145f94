"""A partition whose table changes several rows a record: each checkpoint is one record batch, appended whole or not at all."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from faust.types import TP

from stream.runtime.batches import Batch
from stream.runtime.partstore import PartStore, Rows
from stream.runtime.producer import Pair
from stream.runtime.work import Position, Work


class Fold(Protocol):
    """State folded from one log."""

    @property
    def cut_bytes(self) -> int:
        """Bytes that a cut may take: it and what one more record changes fit one record batch."""

    @property
    def next(self) -> int:
        """The offset to read next."""

    @property
    def size(self) -> int:
        """Bytes that the rows changed since the last cut take, at most."""

    def cut(self) -> Sequence[Pair]:
        """Return the changed rows, which the table's partition then holds, and the row that holds `next`."""


F = TypeVar("F", bound=Fold)


class AtomicPart(Generic[F]):
    """The fold of one partition, and the cuts made of it since the last checkpoint."""

    def __init__(self, changelog: TP, stored: Rows, stale: set[bytes], fold: F) -> None:
        self.changelog, self.stored, self.fold = changelog, stored, fold
        self._cut_at = fold.next
        self._cuts: list[list[Pair]] = _pieces([(key, stored.get(key)) for key in stale], fold.cut_bytes)
        self._outputs: list[asyncio.Future[None]] = []
        self._positions: dict[TP, Position] = {}
        self.loads = 0
        """How often the store had loaded into this partition when the fold was built."""

    @property
    def backlog(self) -> int:
        """How many cuts wait for a checkpoint."""
        return len(self._cuts)

    @property
    def has_changed(self) -> bool:
        """Whether rows wait for a checkpoint; a log that went on without changing any need not be written at once."""
        return bool(self._cuts) or self.fold.size > 0

    def cut_for(self, record_bytes: int) -> None:
        """Cut where the rows of a record of this size may not fit into the batch any more.

        Before a checkpoint takes it, all outputs of what was folded must have been handed on. A record's rows are about as large
        as itself.
        """
        if self.fold.size + 2 * record_bytes > self.fold.cut_bytes:
            self.cut()

    def cut(self) -> None:
        """Close the rows changed so far into one record batch."""
        if self.fold.next == self._cut_at and self.fold.size == 0:  # in the middle of a record rows change, but not where it is
            return
        self._cuts.append(list(self.fold.cut()))
        self._cut_at = self.fold.next

    def sent(self, acknowledged: asyncio.Future[None]) -> None:
        """Remember an output that the next checkpoint must await."""
        self._outputs.append(acknowledged)

    def done(self, batch: Batch) -> None:
        """Remember that a batch is folded and its outputs are handed on."""
        self._positions[batch.tp] = Position.behind(batch)

    def stands(self, tp: TP, at: Position) -> None:
        """Remember where a source stands of which nothing more was read: it is to be committed."""
        self._positions[tp] = at

    @property
    def owes(self) -> bool:
        """Whether a checkpoint has something to do here."""
        return bool(self._positions or self._cuts or self._outputs)

    def take(self) -> Work:
        """Cut, return what is owed and owe nothing from now on."""
        self.cut()
        work = Work(self.changelog, self._outputs, self._cuts, self._positions, atomic=True)
        self._cuts, self._outputs, self._positions = [], [], {}
        return work


def _pieces(rows: list[Pair], cut_bytes: int) -> list[list[Pair]]:
    """Split rows that belong to older cuts, so need not stand together, by size."""
    pieces: list[list[Pair]] = []
    room = 0
    for key, value in rows:
        size = len(key or b"") + len(value or b"")
        if size > room:
            pieces.append([])
            room = cut_bytes
        pieces[-1].append((key, value))
        room -= size
    return pieces


class AtomicTable(Generic[F]):
    """The open partitions of a table that is cut atomically; `make` builds a fold from the rows of a partition."""

    def __init__(self, store: Callable[[], PartStore], changelog: str, make: Callable[[Rows], F]) -> None:
        self._store, self._changelog, self._make = store, changelog, make
        self.parts: dict[int, AtomicPart[F]] = {}

    def open(self, partition: int) -> AtomicPart[F]:
        """Return a partition that is assigned; the first time its fold is built, which may take a while."""
        store = self._store()
        store.settle(partition)
        stored, part = store.part(partition), self.parts.get(partition)
        if part is None or part.stored is not stored or part.loads != store.loads.get(partition, 0):
            part = self.parts[partition] = AtomicPart(
                TP(self._changelog, partition), stored, store.stale.pop(partition, set()), self._make(stored)
            )
            part.loads = store.loads.get(partition, 0)
        return part

    def changed(self) -> list[AtomicPart[F]]:
        """Return the open partitions of which rows wait for a checkpoint."""
        return [part for part in list(self.parts.values()) if part.has_changed]  # a thread may open one meanwhile

    def position(self, partition: int) -> int | None:
        """Return where the newest batch says that the log goes on; None before the first."""
        return self.open(partition).fold.next or None

    def reset(self) -> None:
        """Forget partitions that went: one that stayed has nothing open and keeps its fold."""
        kept = self._store().parts
        self.parts = {n: part for n, part in self.parts.items() if kept.get(n) is part.stored}
