"""What is fetched of one partition, as one item: records in offset order, unpacked in C."""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import chain
from typing import Any, NamedTuple, Protocol

import faust
from aiokafka.errors import CorruptRecordException
from aiokafka.record import MemoryRecords
from faust.types import TP

from stream.runtime.lenient import Lenient

MAX_RECORDS = 2000
"""A batch ends at the first border of a Kafka record batch after so many records: an answer's whole megabyte of small events,
since the next is only asked for when all of it is taken."""
ALL = 1 << 62
"""Of a changelog all of an answer: to hand a batch on costs as much as to load some hundred rows."""


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


class Part:
    """One of Kafka's record batches as it came."""

    __slots__ = ("base_offset", "raw")

    def __init__(self, raw: bytes, base_offset: int) -> None:
        self.raw, self.base_offset = raw, base_offset

    def read(self) -> list[Record]:
        """Return its records."""
        try:
            return list(MemoryRecords(self.raw).next_batch())
        except UnicodeDecodeError:  # Kafka does not care what a header's name is
            return list(Lenient(self.raw))


class Unread(NamedTuple):
    """A batch as it came, read where it is needed, and once.

    Records that the consumer's thread made would have to cross to the loop's core, and wait there for the garbage collector to
    look at them: a tenth of what it takes to read and to restore.
    """

    tp: TP
    start: int
    next: int
    parts: list[Part]

    def since(self, position: int) -> "Unread":
        """Return the part from `position` on."""
        return self if position <= self.start else self._replace(start=position)

    def records(self) -> Iterator[Record]:
        """Yield the records."""
        return chain.from_iterable(map(self._of, self.parts))

    def read(self) -> Batch:
        """Return it with its records."""
        return Batch(self.tp, self.start, self.next, list(self.records()))

    def _of(self, part: Part) -> list[Record]:
        records = part.read()
        if part.base_offset >= self.start:
            return records
        return [record for record in records if record.offset >= self.start]  # the fetch began inside it


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


def unpack(tp: Any, fetched: Any, at_most: int) -> Unread:
    """Take record batches out of aiokafka's `PartitionRecords`, up to the first that ends behind `at_most` offsets.

    Aborted transactions are read like others. Raises `CorruptRecordException` for a batch that is not as it was sent.
    """
    start, source = fetched.next_fetch_offset, fetched._records
    parts = []
    while source.has_next() and fetched.next_fetch_offset - start < at_most:
        part = source.next_batch()
        if not part.is_control_batch:
            if fetched._check_crcs and not source.is_as_sent():
                msg = f"wrong checksum in {tp.topic}-{tp.partition}, offset {part.base_offset}"
                raise CorruptRecordException(msg)
            parts.append(Part(source.raw(), part.base_offset))
        fetched.next_fetch_offset = part.next_offset
    return Unread(TP(tp.topic, tp.partition), start, fetched.next_fetch_offset, parts)


def take(tp: Any, fetched: Any, at_most: int) -> Unread:
    """Take them out of aiokafka's `FetchResult`, which then knows how far it is, and keeps nothing that is taken."""
    batch = unpack(tp, fetched._partition_records, at_most)
    fetched._update_position()
    if not fetched._partition_records._records.has_next():
        fetched._partition_records._records_iterator = None  # a cycle that keeps the whole answer until gc looks
        fetched._partition_records = None
    return batch
