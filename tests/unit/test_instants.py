"""RFC 3339 in, milliseconds out, and back."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.domain import instants

TEN = 1_795_341_600_000


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2026-11-22T10:00:00.000Z", TEN),
        ("2026-11-22T10:00:00Z", TEN),
        ("2026-11-22 10:00:00z", TEN),
        ("2026-11-22t10:00:00.5z", TEN + 500),
        ("2026-11-22T10:00:00.0009Z", TEN),
        ("2026-11-22T10:00:00.12Z", TEN + 120),
        ("2026-11-22T10:00:00.123999999999999999999999999999Z", TEN + 123),
        ("2026-11-22T11:00:00+01:00", TEN),
        ("2026-11-22T04:30:00.250-05:30", TEN + 250),
        ("2026-11-22T10:00:00-00:00", TEN),
        ("2026-11-23T09:59:00+23:59", TEN),
        ("2026-11-21T10:01:00-23:59", TEN),
        ("2024-02-29T00:00:00Z", 1_709_164_800_000),
        ("1970-01-01T00:00:00Z", 0),
        ("2000-01-01T00:00:00Z", instants.YEAR_2000),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000),
        ("0000-12-31T23:59:59.999Z", -62_135_596_800_001),
        ("0000-02-29T00:00:00Z", -62_162_121_600_000),
        ("9999-12-31T23:59:59.999Z", instants.LATEST),
    ],
)
def test_an_instant_is_read(text: str, ms: int) -> None:
    assert instants.parse(text) == ms
    assert instants.parse(text) == ms, "also when remembered"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-11-22",
        "2026-11-22T10:00:00",
        "2026-11-22T10:00Z",
        "2026-11-22T10Z",
        "2026-11-22T10:00:60Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T10:60:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-11-31T00:00:00Z",
        "2026-11-22T10:00:00.Z",
        "2026-11-22T10:00:00,5Z",
        "2026-11-22T10:00:00+24:00",
        "2026-11-22T10:00:00+01:60",
        "2026-11-22T10:00:00+0100",
        "2026-11-22T10:00:00+01",
        "2026-11-22T10:00:00 Z",
        "2026-11-22T10:00:00Z ",
        " 2026-11-22T10:00:00Z",
        "2026-11-22T10:00:00Z\n",
        "2026-11-22_10:00:00Z",
        "20261122T100000Z",
        "+2026-11-22T10:00:00Z",
        "12026-11-22T10:00:00Z",
        "2026-W47-7T10:00:00Z",
        "２026-11-22T10:00:00Z",  # noqa: RUF001 - a digit that is not ASCII
        "1795341600000",
        "9999-12-31T23:59:59-00:01",
        "x" * 100_000,
    ],
)
def test_anything_else_is_no_instant(text: str) -> None:
    with pytest.raises(instants.BadInstant):
        instants.parse(text)


def test_the_message_shows_the_text_but_never_all_of_a_long_one() -> None:
    with pytest.raises(instants.BadInstant, match="'2026-11-22T10:00' is no RFC 3339"):
        instants.parse("2026-11-22T10:00")
    with pytest.raises(instants.BadInstant) as caught:
        instants.parse("x" * 100_000)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (TEN, "2026-11-22T10:00:00.000Z"),
        (TEN + 59_999, "2026-11-22T10:00:59.999Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (instants.LATEST, "9999-12-31T23:59:59.999Z"),
        (instants.EARLIEST, "0001-01-01T00:00:00.000Z"),
    ],
)
def test_an_instant_is_written_in_utc_with_milliseconds(ms: int, text: str) -> None:
    assert instants.write(ms) == text


@pytest.mark.parametrize("ms", [instants.LATEST + 1, instants.EARLIEST - 1, 10**30])
def test_years_that_have_no_four_digits_cannot_be_written(ms: int) -> None:
    with pytest.raises(instants.BadInstant):
        instants.write(ms)


@given(st.integers(min_value=instants.EARLIEST, max_value=instants.LATEST))
def test_what_is_written_is_read_again(ms: int) -> None:
    assert instants.parse(instants.write(ms)) == ms


@given(
    st.datetimes(min_value=datetime(1902, 1, 1), max_value=datetime(9998, 1, 1)),  # noqa: DTZ001 - the offset follows
    st.integers(min_value=-1439, max_value=1439),
)
def test_offsets_agree_with_pythons_own_reader(moment: datetime, minutes: int) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    expected = (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert instants.parse(aware.isoformat()) == expected
