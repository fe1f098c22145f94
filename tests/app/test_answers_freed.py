"""An answer of a megabyte is gone as soon as it is read, not when the garbage collector looks."""

import gc
import weakref
from types import SimpleNamespace
from typing import Any

from aiokafka.consumer.fetcher import READ_UNCOMMITTED, PartitionRecords
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.structs import TopicPartition

from stream.runtime.checksums import Records
from stream.runtime.thread import BatchThread


def answer(tp: TopicPartition) -> PartitionRecords:
    batch = DefaultRecordBatchBuilder(
        magic=2, compression_type=0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1, batch_size=1000
    )
    batch.append(0, 1, b"key", b"value", [])
    return PartitionRecords(tp, Records(bytes(batch.build())), [], 0, None, None, True, READ_UNCOMMITTED)


def test_an_answer_that_is_read_is_freed_at_once() -> None:
    tp = TopicPartition("events", 0)
    fetched = SimpleNamespace(_partition_records=answer(tp), check_assignment=lambda _: True, _update_position=lambda: None)
    fetched.has_more = lambda: fetched._partition_records is not None
    fetcher: Any = SimpleNamespace(_records={tp: fetched}, _notify=lambda _: None, _wait_consume_future=None)
    thread: Any = SimpleNamespace(
        consumer=SimpleNamespace(_is_changelog_tp=lambda _: False, flow=SimpleNamespace(patient=frozenset()))
    )
    held = weakref.ref(fetched._partition_records)

    gc.disable()
    try:
        (batch,) = BatchThread._take(thread, fetcher, None)
        assert held() is None
    finally:
        gc.enable()

    assert [record.value for record in batch.records()] == [b"value"]
    assert fetcher._records == {}
