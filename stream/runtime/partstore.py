"""The table store: one dict of rows a partition, bytes behind a `stream.domain.head`. Registered as `part://`."""

# ruff: noqa: FBT001, FBT002 - Faust's and aiokafka's own methods and members, pinned by tests/contract

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

from faust.stores import base
from faust.types import TP

from stream.domain.head import FORMAT, order_of
from stream.runtime.batches import Record
from stream.runtime.fatal import Misfit
from stream.runtime.misfits import ROW_FORMAT, misfit

Rows = dict[bytes, bytes]
Merge = Callable[[bytes, bytes, bytes], bytes]


class Sift(Protocol):
    """Has a say in which rows of a restored partition count."""

    @property
    def marker(self) -> bytes:
        """The key without which a partition has nothing to be sifted."""

    def __call__(self, rows: Rows, undone: Mapping[bytes, bytes], /) -> set[bytes]:
        """Put the rows right and return the keys to be written again; `undone` are rows that a null removed."""


class PartStore(base.Store[bytes, bytes]):
    """Keeps what the changelog says, partition by partition: kept partitions never replay, others leave no ghosts."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.parts: dict[int, Rows] = {}
        self.at: dict[TP, int] = {}
        """The last offset of each changelog partition, read or acknowledged."""
        self.stale: dict[int, set[bytes]] = {}
        """Keys whose newest changelog record is not the row that counts."""
        self.loads: dict[int, int] = {}
        """How often each partition was loaded into."""
        self.merge: Merge | None = getattr(self.app, "merges", {}).get(self.table.name)
        """Called with the key, the row that counts and one that does not: returns what counts, for flags that never go back."""
        self.sift: Sift | None = getattr(self.app, "sifts", {}).get(self.table.name)
        self._undone: dict[int, Rows] = {}
        self._settled: dict[int, int] = {}

    def persisted_offset(self, tp: TP) -> int | None:
        """Return how far a changelog partition is known; None: not at all."""
        return self.at.get(tp)

    def part(self, partition: int) -> Rows:
        """Return the rows of a partition."""
        return self.parts.setdefault(partition, {})

    async def on_rebalance(self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0) -> None:
        """Forget the partitions that went."""
        mine = self.table.changelog_topic.topics
        for tp in revoked:
            if tp.topic in mine:
                self.parts.pop(tp.partition, None)
                self.stale.pop(tp.partition, None)
                self.at.pop(tp, None)
                self._undone.pop(tp.partition, None)

    def load(self, partition: int, records: Iterable[Record]) -> int:
        """Apply changelog records and return how many: the greatest position counts, not the last record.

        A frozen worker that wakes up writes old rows behind newer ones; such keys become `stale`, to be written again.
        """
        rows, stale = self.part(partition), self.stale.setdefault(partition, set())
        self.loads[partition] = self.loads.get(partition, 0) + 1
        known, first, count = FORMAT[0], rows.setdefault, 0
        for count, record in enumerate(records, 1):  # noqa: B007 - the last one is returned
            key, value = record.key, record.value
            # Nearly all are the first row of their key: they pass by here for a third less.
            if value and key is not None and value[0] == known and first(key, value) is value:
                continue
            if key is None:
                continue
            if value is None:
                gone = rows.pop(key, None)
                stale.discard(key)
                if gone is not None and self.sift is not None and self.sift.marker in rows:
                    self._undo(partition, key, gone)
                continue
            if value[:1] != FORMAT:
                raise self._unknown(partition, record)
            old = rows[key]
            newer = value[1:9] >= old[1:9]  # head.order_of: a recovery does this for nearly every row
            counts, other = (value, old) if newer else (old, value)
            kept = counts if self.merge is None else self.merge(key, counts, other)
            rows[key] = kept
            if kept is value:
                stale.discard(key)
            else:
                stale.add(key)
        return count

    def _undo(self, partition: int, key: bytes, row: bytes) -> None:
        """Remember the newest row that a null removed: a null has no position, and may be older than the row."""
        undone = self._undone.setdefault(partition, {})
        undone[key] = max(row, undone.get(key, b""), key=order_of)

    def settle(self, partition: int) -> None:
        """Put a partition's rows right, once after it was loaded; may take a second a million rows, and a thread of its own."""
        loads, undone = self.loads.get(partition, 0), self._undone.pop(partition, {})
        if self.sift is None or self._settled.get(partition, 0) == loads:
            return
        self._settled[partition] = loads
        rows = self.part(partition)
        if self.sift.marker in rows:
            self.stale.setdefault(partition, set()).update(self.sift(rows, undone))

    def _unknown(self, partition: int, record: Record) -> Misfit:
        where, found = f"{self.table.changelog_topic.get_topic_name()}-{partition}", (record.value or b"")[:1].hex() or "none"
        return misfit(ROW_FORMAT, where=where, offset=record.offset, format=found, known=FORMAT.hex())

    def apply_changelog_batch(self, batch: Any, to_key: Any, to_value: Any) -> None:
        """Do nothing: the recovery loads whole batches itself, Faust's buffers stay empty."""

    def reset_state(self) -> None:
        """Keep all: the changelog is the truth and `at` says how much of it is here."""

    async def backup_partition(self, tp: Any, flush: bool = True, purge: bool = False, keep: int = 1) -> None:
        """Do nothing: there are no files."""

    def restore_backup(self, tp: Any, latest: bool = True, backup_id: int = 0) -> None:
        """Do nothing: there are no files."""

    def __getitem__(self, key: bytes) -> bytes:
        """Return the row of a key, whatever its partition."""
        for rows in self.parts.values():
            if key in rows:
                return rows[key]
        raise KeyError(key)

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over all keys."""
        return (key for rows in list(self.parts.values()) for key in list(rows))

    def __len__(self) -> int:
        """Count the rows."""
        return sum(map(len, self.parts.values()))

    def __setitem__(self, key: bytes, value: bytes) -> None:
        """Refuse: rows are written by checkpoints."""
        msg = "rows are written by checkpoints"
        raise TypeError(msg)

    def __delitem__(self, key: bytes) -> None:
        """Refuse: rows are written by checkpoints."""
        msg = "rows are written by checkpoints"
        raise TypeError(msg)
