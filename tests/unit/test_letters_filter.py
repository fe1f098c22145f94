"""Which dead letters a command means."""

import pytest

from stream.cli.letters import Filter
from stream.errors import UsageError


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2026-11-22T10:00:00Z", 1_795_341_600_000),
        ("1969-12-31T23:59:59.999Z", 0),  # -1 is the end of a partition, to Kafka
        ("0000-01-01T00:00:00Z", 0),
        (None, None),
    ],
)
def test_an_instant_before_kafkas_first_is_kafkas_first(text: str | None, ms: int | None) -> None:
    asked = Filter.asked((), text, text, 0)
    assert (asked.since_ms, asked.until_ms) == (ms, ms)


@pytest.mark.parametrize("text", ["soon", "999999999d", "-1h", ""])
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--since"):
        Filter.asked((), text, None, 0)
