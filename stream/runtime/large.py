"""What is large leaves compressed: it may have come so, and be more than a topic takes as it is."""

from collections.abc import Callable
from typing import Any, Final

from aiokafka.record.default_records import DefaultRecordBatchBuilder

Headers = list[tuple[str, bytes]]
LARGE: Final = 1_000_000
"""Bytes; what is larger leaves compressed, in a record batch of its own."""
LARGEST: Final = 16 * 1024 * 1024
"""Bytes; what is larger is not even tried: all else would stand still meanwhile."""
ZSTD: Final = 4
"""Milliseconds for what keeps gzip half a minute, and it sees repeats that lie far apart."""

size_of: Callable[[bytes | None, bytes | None, Headers], int] = DefaultRecordBatchBuilder.estimate_size_in_bytes
"""Return at most how many bytes a key, a value and headers take as a record batch of their own, not compressed."""


def compressing() -> Any:
    """Return what builds a compressed record batch of one message: whatever comes behind it does not fit."""
    return DefaultRecordBatchBuilder(
        magic=2, compression_type=ZSTD, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1, batch_size=LARGE
    )


def fits(key: bytes | None, value: bytes | None, headers: Headers, limit: int) -> bool:
    """Tell whether a topic whose record batches have at most `limit` bytes takes a message."""
    plain = size_of(key, value, headers)
    if plain <= LARGE or plain > LARGEST:
        return plain <= LARGE
    batch = compressing()
    batch.append(0, 0, key, value, headers)
    return len(batch.build()) <= limit
