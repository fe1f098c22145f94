"""A batch ends at the first border of a Kafka record batch behind so many records; of a changelog all is one batch."""

import gzip
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from stream.runtime import transport
from stream.runtime.batches import ALL, MAX_RECORDS, unpack
from stream.runtime.checksums import Records
from stream.runtime.lenient import Readable
from stream.runtime.settled import COMMITS, Settled

SIZE = 1_500
TP = SimpleNamespace(topic="rows", partition=0)


def fetched(batches: int, *, spoilt: int | None = None) -> Any:
    """Return an answer of record batches of `SIZE` records; a bit of the `spoilt` one is another."""
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
        if number == spoilt:
            part[-1] ^= 1
        data += bytes(part)
    return SimpleNamespace(next_fetch_offset=0, _records=Records(data), _check_crcs=True)


@pytest.mark.parametrize(
    ("at_most", "parts"),
    [
        pytest.param(MAX_RECORDS, [3_000, 3_000], id="of a source, which others wait for"),
        pytest.param(ALL, [6_000], id="of a changelog, in one go"),
        pytest.param(1, [1_500] * 4, id="never less than a record batch"),
    ],
)
def test_so_many_are_handed_on_at_once(at_most: int, parts: list[int]) -> None:
    answer, taken, start = fetched(4), [], 0
    for _ in parts:
        batch = unpack(TP, answer, at_most).read()
        assert (batch.start, batch.next) == (start, start + len(batch.records))
        start = batch.next
        taken.append(len(batch.records))
    assert (taken, answer._records.has_next()) == (parts, False)


@pytest.mark.parametrize("position", [0, 1, SIZE - 1, SIZE, 3 * SIZE + 7])
def test_a_batch_is_read_from_a_position_on(position: int) -> None:
    unread = unpack(TP, fetched(4), ALL).since(position)
    assert (unread.start, unread.next) == (position, 6_000)
    assert [record.offset for record in unread.records()] == [*range(position, 6_000)]


@pytest.mark.parametrize("spoilt", range(3))
def test_a_batch_that_is_not_as_it_was_sent_is_not_read(spoilt: int) -> None:
    answer = fetched(3, spoilt=spoilt)
    for number in range(spoilt):
        assert len(unpack(TP, answer, 1).read().records) == SIZE, number
    with pytest.raises(CorruptRecordException, match=f"wrong checksum in rows-0, offset {spoilt * SIZE}"):
        unpack(TP, answer, 1)


def test_consumers_check_this_way() -> None:
    transport.register()
    assert (fetcher.MemoryRecords, fetcher.PartitionRecords) == (Records, Settled)


def with_an_odd_header(compression: int) -> bytes:
    """Return a batch of two records, of which the first has a header whose name is Latin-1."""
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1, batch_size=1 << 20
    )
    builder.append(0, timestamp=7, key=b"k", value=b"v", headers=[("herkuenfte", b"x"), ("none", None), ("\u00fc", b"\xff")])
    builder.append(1, timestamp=8, key=None, value=None, headers=[])
    data = bytes(builder.build()).replace(b"herkuenfte", b"herk\xfcnfte_")
    if compression:
        data = data[:21] + bytes([data[21], data[22] | compression]) + data[23:61] + gzip.compress(data[61:])
        data = data[:8] + (len(data) - 12).to_bytes(4, "big") + data[12:]
    return data


@pytest.mark.parametrize("compression", [0, 1])
def test_a_header_whose_name_is_no_utf_8_is_read_and_so_is_what_lies_beside(compression: int) -> None:
    answer = SimpleNamespace(next_fetch_offset=0, _records=Records(with_an_odd_header(compression)), _check_crcs=False)
    first, second = unpack(TP, answer, ALL).read().records
    assert (first.offset, first.timestamp, first.key, first.value) == (0, 7, b"k", b"v")
    assert list(first.headers) == [("herk\\xfcnfte_", b"x"), ("none", None), ("\u00fc", b"\xff")]
    assert (second.offset, second.timestamp, second.key, second.value, list(second.headers)) == (1, 8, None, None, [])


@pytest.mark.parametrize("compression", [0, 1])
def test_so_do_the_consumers_of_commands_and_of_the_lag(compression: int) -> None:
    plain = DefaultRecordBatchBuilder(
        magic=2, compression_type=0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1, batch_size=1 << 20
    )
    plain.append(0, timestamp=9, key=b"next", value=b"", headers=[])
    behind = (2).to_bytes(8, "big") + bytes(plain.build())[8:]
    data = with_an_odd_header(compression) + behind
    how = {"key_deserializer": None, "value_deserializer": None, "check_crcs": False, "isolation_level": 0}
    for start, wanted in ((0, [(0, b"k"), (1, None), (2, b"next")]), (1, [(1, None), (2, b"next")])):
        read = Readable(TP, Records(data), None, start, **how)
        assert [(record.offset, record.key) for record in read] == wanted
        assert read.next_fetch_offset == 3


@pytest.mark.parametrize(("topic", "read"), [(COMMITS, [b"a", b"d"]), ("events", [b"a", b"b", b"c", b"d", b"e"])])
def test_of_the_log_of_commits_what_was_sent_in_transactions_is_passed_over(topic: str, read: list[bytes]) -> None:
    data = b""
    for offset, (key, is_transactional) in enumerate([(b"a", 0), (b"b", 1), (b"c", 1), (b"d", 0), (b"e", 1)]):
        builder = DefaultRecordBatchBuilder(
            magic=2, compression_type=0, is_transactional=is_transactional, producer_id=7 if is_transactional else -1,
            producer_epoch=0, base_sequence=-1, batch_size=1 << 20,
        )  # fmt: skip
        builder.append(0, timestamp=9, key=key, value=b"", headers=[])
        data += offset.to_bytes(8, "big") + bytes(builder.build())[8:]
    found = Settled(SimpleNamespace(topic=topic, partition=0), Records(data), None, 0, None, None, True, 0)
    assert [record.key for record in found] == read
    assert found.next_fetch_offset == 5, "also behind a last one that is passed over: it would be fetched for ever"
