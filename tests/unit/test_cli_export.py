"""`leadstream export --events`: the raw records as Kafka has them."""

from types import SimpleNamespace

import pytest

from stream.cli.export import _raw


@pytest.mark.parametrize(
    ("timestamp_ms", "at"),
    [
        (1_764_000_000_000, "2025-11-24T16:00:00.000Z"),
        pytest.param(1_764_000_000_000_000, "9999-12-31T23:59:59.999Z", id="microseconds"),
        pytest.param(-(1 << 62), "0001-01-01T00:00:00.000Z", id="before the first year"),
    ],
)
def test_a_record_is_told_whatever_its_kafka_timestamp(timestamp_ms: int, at: str) -> None:
    record = SimpleNamespace(partition=1, offset=7, timestamp=timestamp_ms, value=b"\xff{}")
    assert _raw(record) == {"partition": 1, "offset": 7, "at": at, "value": "\\xff{}"}
