"""When groups committed, told by Kafka's own log of commits."""

import struct

import pytest

from stream.ops.commits import APART_MS, Commit, Place, Ring, partition_of, read
from stream.ops.evaluator import LENGTH, SPAN_MS

PLACE: Place = ("crm", "stage-changes", 3)


def text(value: str) -> bytes:
    return struct.pack(">h", len(value.encode())) + value.encode()


def key(group: str = "crm", topic: str = "stage-changes", partition: int = 3, version: int = 1) -> bytes:
    return struct.pack(">h", version) + text(group) + text(topic) + struct.pack(">i", partition)


VALUE = struct.pack(">hq", 3, 42) + struct.pack(">i", -1) + text("a note") + struct.pack(">q", 0)


def test_a_commit_is_read() -> None:
    assert read(key(), VALUE, 7) == Commit(PLACE, 42, 7)


@pytest.mark.parametrize(
    ("what", "name", "value"),
    [
        ("a deletion", key(), None),
        ("no key", None, VALUE),
        ("a group's members", struct.pack(">h", 2) + text("crm"), b"\x00\x03"),
        ("a key of a later kind", struct.pack(">h", 9) + b"...", VALUE),
        ("a key that breaks off", key()[:9], VALUE),
        ("a value that breaks off", key(), b"\x00"),
        ("no text", struct.pack(">hh", 1, 1) + b"\xff", VALUE),
        ("nothing", b"", b""),
    ],
)
def test_anything_else_is_passed_over(what: str, name: bytes | None, value: bytes | None) -> None:
    assert read(name, value, 7) is None, what


@pytest.mark.parametrize(
    ("group", "partitions", "partition"),
    [
        pytest.param("t0de79f6e-stuck", 8, 3, id="a negative hash, seen on Apache Kafka 4.1"),
        pytest.param("t0de79f6e-slow", 8, 0, id="another one"),
        pytest.param("t0de79f6e-app", 8, 6, id="and another"),
        pytest.param("leadstream", 50, 46, id="a positive hash"),
        pytest.param("", 50, 0, id="none"),
        pytest.param("polygenelubricants", 50, 0, id="the least hash there is has no opposite"),
    ],
)
def test_a_groups_commits_are_where_java_puts_them(group: str, partitions: int, partition: int) -> None:
    assert partition_of(group, partitions) == partition


def ring(*told: tuple[int, int]) -> Ring:
    made = Ring()
    for offset, at_ms in told:
        made.note(Commit(PLACE, offset, at_ms))
    return made


def offsets(made: Ring) -> list[int]:
    return [commit.offset for commit in made.commits]


def test_a_ring_holds_what_a_window_takes() -> None:
    assert offsets(ring(*((n, n * APART_MS) for n in range(30)))) == list(range(30 - LENGTH, 30))


def test_a_ring_forgets_what_is_older_than_a_window_but_the_last_before() -> None:
    assert offsets(ring((1, 0), (2, 10_000), (3, 20_000 + SPAN_MS), (4, 21_000 + SPAN_MS))) == [2, 3, 4]


def test_commits_in_quick_succession_are_thinned_out() -> None:
    assert offsets(ring((1, 0), (2, 1000), (3, 1200), (4, 1900), (5, 2100))) == [1, 2, 4, 5]


def test_a_step_back_is_kept_however_quick() -> None:
    assert offsets(ring((1, 0), (9, 1000), (2, 1200))) == [1, 9, 2]


def test_what_is_looked_at_is_a_commit_only_if_nobody_told_of_it() -> None:
    made = ring((1, 0), (9, 5000))
    made.looked(PLACE, 9, 6000)
    made.looked(PLACE, 12, 7000)
    made.note(Commit(PLACE, 12, 6900))
    assert [(commit.offset, commit.at_ms) for commit in made.commits] == [(1, 0), (9, 5000), (12, 7000)]
