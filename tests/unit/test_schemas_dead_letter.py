"""A dead letter's headers say why, where and since when."""

import pytest
from pydantic import ValidationError

from schemas.dead_letter import DeadLetter

HEADERS = [
    ("leadstream-reason", b"schema_violation"),
    ("leadstream-message", b"event: must not be empty"),
    ("leadstream-stage", b"validate"),
    ("leadstream-topic", b"events"),
    ("leadstream-partition", b"3"),
    ("leadstream-offset", b"4711"),
    ("leadstream-version", b"0.1.0"),
    ("leadstream-first-seen", b"2026-11-22T10:00:00.000Z"),
]


def test_the_headers_are_read_and_written_alike() -> None:
    letter = DeadLetter.read(HEADERS)

    assert (letter.reason, letter.offset, letter.first_seen) == ("schema_violation", "4711", "2026-11-22T10:00:00.000Z")
    assert letter.headers() == HEADERS


def test_a_letter_that_is_not_whole_says_so() -> None:
    cut = [*HEADERS, ("leadstream-cut", b"headers"), ("leadstream-size", b"3000123")]

    assert DeadLetter.read(cut).headers() == cut


def test_headers_of_others_are_passed_over() -> None:
    others = [("traceparent", b"\xff"), ("leadstream-history", b"1")]

    assert DeadLetter.read([*others, *HEADERS]) == DeadLetter.read(HEADERS)


@pytest.mark.parametrize("missing", range(len(HEADERS)))
def test_none_may_be_missing(missing: int) -> None:
    with pytest.raises(ValidationError):
        DeadLetter.read(HEADERS[:missing] + HEADERS[missing + 1 :])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("leadstream-reason", b"odd"),
        ("leadstream-stage", b"somewhere"),
        ("leadstream-partition", b"three"),
        ("leadstream-first-seen", b"yesterday"),
        ("leadstream-cut", b"corners"),
    ],
)
def test_no_other_words_are_used(name: str, value: bytes) -> None:
    with pytest.raises(ValidationError):
        DeadLetter.read([*(header for header in HEADERS if header[0] != name), (name, value)])
