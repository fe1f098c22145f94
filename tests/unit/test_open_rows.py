from collections import Counter

import pytest
from faust.types import TP

from stream.runtime import rows
from stream.runtime.rows import RowPart

CHANGELOG = TP("visitors-changelog", 0)


class Codec:
    """Rows that are lists of numbers, and how often each was decoded."""

    def __init__(self) -> None:
        self.decoded: Counter[bytes] = Counter()

    def decode(self, stored: bytes) -> list[int]:
        self.decoded[stored] += 1
        return list(stored)


def opened(codec: Codec, **stored: bytes) -> RowPart[list[int]]:
    return RowPart(CHANGELOG, {key.encode(): value for key, value in stored.items()}, set(), codec.decode, bytes)


def grow(part: RowPart[list[int]], key: bytes, number: int) -> None:
    row = part.get(key) or []
    row.append(number)
    part.put(key, row)


def test_a_row_that_changes_in_every_checkpoint_is_decoded_once() -> None:
    codec = Codec()
    part = opened(codec, a=b"\x01")
    written = []
    for number in (2, 3, 4):
        grow(part, b"a", number)
        written += part.take().rows
    assert written == [[(b"a", b"\x01\x02")], [(b"a", b"\x01\x02\x03")], [(b"a", b"\x01\x02\x03\x04")]]
    assert sum(codec.decoded.values()) == 1


def test_a_row_looked_at_and_not_put_back_is_not_written() -> None:
    part = opened(Codec(), a=b"\x01")
    grow(part, b"a", 2)
    part.take()
    assert part.get(b"a") == [1, 2]
    assert not part.owes
    assert part.take().rows == []


def test_rows_stay_decoded_until_the_next_checkpoint_only() -> None:
    codec = Codec()
    part = opened(codec, a=b"\x01", b=b"\x09")
    grow(part, b"a", 2)
    part.take()
    grow(part, b"b", 8)
    part.take()
    assert part.get(b"a") == [1, 2]
    assert codec.decoded[b"\x01\x02"] == 1


def test_more_rows_than_are_kept_decoded_are_decoded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_WRITTEN_ROWS", 1)
    codec = Codec()
    part = opened(codec, a=b"\x01", b=b"\x09")
    grow(part, b"a", 2)
    grow(part, b"b", 8)
    part.take()
    assert part.get(b"a") == [1, 2]
    assert codec.decoded[b"\x01\x02"] == 1


def test_what_a_lookup_sees_is_what_the_newest_change_left() -> None:
    part = opened(Codec(), a=b"\x01")
    grow(part, b"a", 2)
    assert part.bytes_of(b"a") == b"\x01\x02"
    part.take()
    assert part.bytes_of(b"a") == b"\x01\x02"
    grow(part, b"a", 3)
    assert part.bytes_of(b"a") == b"\x01\x02\x03"
