"""Reads a record batch in which a header's name is no UTF-8: Kafka takes any bytes there, aiokafka reads no record of it."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.record.default_records import _DefaultRecordBatchPy


class Lenient(_DefaultRecordBatchPy):  # type: ignore[misc]  # final, and written in Python for those without its C
    r"""A batch whose headers are named by what can be read, and by `\xff` for a byte that cannot."""

    _buffer: bytearray

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer = _Buffer(self._buffer)


class _Buffer(bytearray):
    def __getitem__(self, at: Any) -> Any:
        found: Any = super().__getitem__(at)
        return _Text(found) if isinstance(at, slice) else found


class _Text(bytearray):
    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        return super().decode(encoding, errors)


class Readable(PartitionRecords):  # type: ignore[misc]  # aiokafka has no types
    """What aiokafka's own consumers, those of commands and of the lag, read of one partition."""

    next_fetch_offset: int

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except UnicodeDecodeError:
            self._records_iterator = chain(self._last_batch(), self._unpack_records())
            return super().__next__()

    def _last_batch(self) -> Iterator[Any]:
        batch = Lenient(self._records.raw())
        for record in batch:
            if record.offset >= self.next_fetch_offset:
                self.next_fetch_offset = record.offset + 1
                yield self._consumer_record(self._tp, record)
        self.next_fetch_offset = batch.next_offset
