"""Reads a record batch in which a header's name is no UTF-8: Kafka takes any bytes there, aiokafka reads no record of it."""

from typing import Any

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
