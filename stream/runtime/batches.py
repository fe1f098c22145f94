"""What is fetched of one partition, as one item: records in offset order, unpacked in C."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, NamedTuple, Protocol

import faust
from aiokafka.errors import CorruptRecordException
from faust.types import TP

MAX_RECORDS = 2000
"""A batch ends at the first border of a Kafka record batch after so many records."""
MAX_ROWS = 10_000
"""Of a changelog so many: all of an answer. To hand a batch on costs as much as to load some hundred rows."""


class Record(Protocol):
    """A record as aiokafka's C reader gives it; `timestamp` is in milliseconds."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class Batch(NamedTuple):
    """Records of one partition: asked for at `start`, the position behind them is `next`.

    Compaction and control records leave holes, so `next` says more than the last record does.
    """

    tp: TP
    start: int
    next: int
    records: list[Record]

    def since(self, position: int) -> "Batch":
        """Return the part from `position` on."""
        if position <= self.start:
            return self
        return self._replace(start=position, records=[r for r in self.records if r.offset >= position])

    def split(self, index: int) -> "tuple[Batch, Batch]":
        """Return the records before `index`, and the rest as a batch of its own."""
        at = self.records[index].offset
        return self._replace(next=at, records=self.records[:index]), self._replace(start=at, records=self.records[index:])


class BatchSchema(faust.Schema[None, "Batch"]):
    """Hand a batch through undecoded."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> Any:
        """Return no key: a batch has many."""
        return None

    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:
        """Return the batch itself."""
        return message.value


def fingerprint(record: Record) -> str:
    """Return 16 hex digits that tell a record from another one at the same offset."""
    digest = blake2b(record.timestamp.to_bytes(8, "big", signed=True), digest_size=8)
    digest.update(record.key or b"")
    digest.update(b"\x00")
    digest.update(record.value or b"")
    return digest.hexdigest()


def unpack(tp: Any, fetched: Any, at_most: int = MAX_RECORDS) -> tuple[Batch, bool]:
    """Take a batch out of aiokafka's `PartitionRecords`; also tell whether that is now empty.

    Aborted transactions are read like others. Raises `CorruptRecordException`.
    """
    start, source = fetched.next_fetch_offset, fetched._records
    records: list[Record] = []
    while source.has_next() and len(records) < at_most:
        part = source.next_batch()
        if fetched._check_crcs and not part.validate_crc():
            msg = f"wrong checksum in {tp}"
            raise CorruptRecordException(msg)
        if not part.is_control_batch:
            records.extend(part)
        fetched.next_fetch_offset = part.next_offset
    batch = Batch(TP(tp.topic, tp.partition), start, fetched.next_fetch_offset, records)
    if records and records[0].offset < start:  # the fetch began inside a record batch
        batch = batch._replace(records=[r for r in records if r.offset >= start])
    return batch, not source.has_next()
