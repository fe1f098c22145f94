"""A batch ends at the first border of a Kafka record batch behind so many records."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.record import MemoryRecords
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from stream.runtime.batches import MAX_RECORDS, MAX_ROWS, unpack

SIZE = 1_500
TP = SimpleNamespace(topic="rows", partition=0)


def fetched(batches: int) -> Any:
    """Return an answer of record batches of `SIZE` records."""
    data = b""
    for number in range(batches):
        builder = DefaultRecordBatchBuilder(
            magic=2,
            compression_type=0,
            is_transactional=0,
            producer_id=-1,
            producer_epoch=-1,
            base_sequence=-1,
            batch_size=1 << 20,
        )
        for place in range(SIZE):
            assert builder.append(place, timestamp=0, key=b"k", value=b"v", headers=[]) is not None
        part = builder.build()
        part[:8] = (number * SIZE).to_bytes(8, "big")
        data += bytes(part)
    return SimpleNamespace(next_fetch_offset=0, _records=MemoryRecords(data), _check_crcs=True)


@pytest.mark.parametrize(
    ("at_most", "parts"),
    [
        pytest.param(MAX_RECORDS, [3_000, 3_000], id="of a source, which others wait for"),
        pytest.param(MAX_ROWS, [6_000], id="of a changelog, in one go"),
        pytest.param(1, [1_500] * 4, id="never less than a record batch"),
    ],
)
def test_so_many_are_handed_on_at_once(at_most: int, parts: list[int]) -> None:
    answer, taken, start = fetched(4), [], 0
    for _ in parts:
        batch, empty = unpack(TP, answer, at_most)
        assert (batch.start, batch.next) == (start, start + len(batch.records))
        start = batch.next
        taken.append(len(batch.records))
    assert (taken, empty) == (parts, True)
