"""A partition of a table of independent rows, decoded while they are being changed."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from faust.types import TP

from stream.runtime.batches import Batch
from stream.runtime.partstore import PartStore, Rows
from stream.runtime.work import Position, Work

if TYPE_CHECKING:
    from stream.runtime.producer import Pair

R = TypeVar("R")
EVENTS_A_ROW = 4
"""What is kept of an event until its checkpoint takes a small part of what a changed row does, a hot key's events too."""
MAX_WRITTEN_ROWS = 10_000
"""How many rows a partition keeps decoded beyond their checkpoint."""


class RowPart(Generic[R]):
    """Open rows of one partition; one changelog record a key and checkpoint, however many records changed it."""

    def __init__(
        self, changelog: TP, stored: Rows, stale: set[bytes], decode: Callable[[bytes], R], encode: Callable[[R], bytes]
    ) -> None:
        self.changelog, self.stored = changelog, stored
        self._decode, self._encode = decode, encode
        self.changed: dict[bytes, R] = {}
        self._written: dict[bytes, R] = {}
        """What the last checkpoint wrote, still decoded: who was here a second ago often is again."""
        self._raw: set[bytes] = set(stale)
        """Keys to be written as they are stored, or as a null where they are not."""
        self._outputs: list[asyncio.Future[None]] = []
        self._positions: dict[TP, Position] = {}
        self.received: list[int] = []
        self.taking: Callable[[], None] = _nothing_more
        """Called before what is owed is taken: it may send something."""

    def get(self, key: bytes) -> R | None:
        """Return a row to change and put back, or to look at."""
        row = self.changed.get(key)
        return self.unchanged(key) if row is None else row

    def unchanged(self, key: bytes) -> R | None:
        """Return a row that has not changed since the last checkpoint, for who has looked at those that have."""
        row = self._written.get(key)
        if row is not None:
            return row
        stored = self.stored.get(key)
        return None if stored is None else self._decode(stored)

    def bytes_of(self, key: bytes) -> bytes | None:
        """Return a row as bytes, unwritten changes included."""
        row = self.changed.get(key)
        return self.stored.get(key) if row is None else self._encode(row)

    def put(self, key: bytes, row: R) -> None:
        """Mark a row as changed."""
        self.changed[key] = row

    def put_raw(self, key: bytes, value: bytes) -> None:
        """Store a row of another kind as it is."""
        self.stored[key] = value
        self._raw.add(key)

    def drop(self, key: bytes) -> None:
        """Remove a row; its changelog gets a null, behind whatever else is written with it."""
        self.stored.pop(key, None)
        self.changed.pop(key, None)
        self._written.pop(key, None)
        self._raw.add(key)

    def sent(self, acknowledged: asyncio.Future[None]) -> None:
        """Remember an output that the next checkpoint must await."""
        self._outputs.append(acknowledged)

    def done(self, batch: Batch) -> None:
        """Remember that a batch is applied and its outputs are handed on."""
        self._positions[batch.tp] = Position.behind(batch)

    def stands(self, tp: TP, at: Position) -> None:
        """Remember where a source stands of which nothing more was read: it is to be committed."""
        self._positions[tp] = at

    def is_behind(self, tp: TP) -> bool:
        """Tell whether something of a source waits for a checkpoint."""
        return tp in self._positions

    @property
    def backlog(self) -> int:
        """How many rows wait for a checkpoint; so many events of a few rows are as much."""
        return max(len(self.changed), len(self.received) // EVENTS_A_ROW)

    @property
    def owes(self) -> bool:
        """Whether a checkpoint has something to do here."""
        return bool(self._positions or self.changed or self._raw or self._outputs)

    def take(self) -> Work:
        """Return what is owed and owe nothing from now on."""
        self.taking()
        encode = self._encode
        rows = {key: encode(row) for key, row in self.changed.items()}
        stored = self.stored
        stored.update(rows)
        records: list[Pair] = [(key, stored[key]) for key in self._raw if key in stored and key not in rows]
        records += rows.items()
        records += [(key, None) for key in self._raw if key not in stored]  # a grave must lie before the null of its row
        work = Work(self.changelog, self._outputs, [records] if records else [], self._positions, received=self.received)
        self._written = self.changed if len(self.changed) <= MAX_WRITTEN_ROWS else {}
        self.changed, self._raw, self._outputs, self._positions, self.received = {}, set(), [], {}, []
        return work


class RowTable(Generic[R]):
    """The open partitions of a table of independent rows."""

    def __init__(
        self, store: Callable[[], PartStore], changelog: str, decode: Callable[[bytes], R], encode: Callable[[R], bytes]
    ) -> None:
        self._store, self._changelog, self._decode, self._encode = store, changelog, decode, encode
        self.parts: dict[int, RowPart[R]] = {}
        self.opened: Callable[[RowPart[R]], None] = _nothing
        """Called with each partition that is opened."""

    def open(self, partition: int) -> RowPart[R]:
        """Return a partition that is assigned."""
        part = self.parts.get(partition)
        if part is None:
            store = self._store()
            store.settle(partition)
            part = self.parts[partition] = RowPart(
                TP(self._changelog, partition),
                store.part(partition),
                store.stale.pop(partition, set()),
                self._decode,
                self._encode,
            )
            self.opened(part)
        return part

    def position(self, partition: int) -> int | None:
        """Return None: where such a table's sources go on is what the group committed."""
        self._store().settle(partition)
        return None

    def reset(self) -> None:
        """Forget what was opened: the group assigned anew."""
        self.parts.clear()


def _nothing_more() -> None:
    """Do nothing."""


def _nothing(_part: RowPart[R]) -> None:
    """Do nothing."""
