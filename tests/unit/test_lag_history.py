"""Since when a record lies there, told from looks at the log's end."""

import pytest

from stream.ops.history import LogEnds


def looked(*points: tuple[int, int]) -> LogEnds:
    ends = LogEnds()
    for at_ms, end in points:
        ends.note(end, at_ms)
    return ends


@pytest.mark.parametrize(
    ("case", "points", "offset", "appended"),
    [
        ("nothing was looked at", [], 0, None),
        ("it lay there at the first look", [(1000, 5)], 4, None),
        ("it is not there yet", [(1000, 5), (2000, 7)], 7, None),
        ("one record between two looks", [(1000, 5), (2000, 6)], 5, 1500.0),
        ("the first of ten", [(1000, 0), (2000, 10)], 0, 1050.0),
        ("the last of ten", [(1000, 0), (2000, 10)], 9, 1950.0),
        ("a quiet hour before", [(0, 5), (1000, 5), (3_600_000, 5), (3_601_000, 6)], 5, 3_600_500.0),
        ("a quiet hour after", [(0, 5), (1000, 6), (2000, 6), (3_600_000, 6)], 5, 500.0),
        ("the topic was recreated", [(0, 500), (1000, 600), (2000, 0), (3000, 10)], 500, None),
        ("and is known anew", [(0, 500), (1000, 600), (2000, 0), (3000, 10)], 4, 2450.0),
    ],
)
def test_a_record_is_dated_between_two_looks(
    case: str, points: list[tuple[int, int]], offset: int, appended: float | None
) -> None:  # fmt: skip
    assert looked(*points).appended_at(offset) == appended, case


@pytest.mark.parametrize(
    ("at_ms", "end"), [(500, None), (1000, 5), (1500, 10), (2000, 15), (2001, 15), (99_000, 15)]
)  # fmt: skip
def test_the_end_at_a_moment_is_known_from_the_first_look_on(at_ms: int, end: int | None) -> None:
    assert looked((1000, 5), (2000, 15)).end_at(at_ms) == end


def test_nothing_is_known_before_the_first_look() -> None:
    assert LogEnds().end_at(0) is None
    assert LogEnds().began_at is None
    assert looked((1000, 5), (2000, 6)).began_at == 1000


def test_a_week_of_looks_at_a_busy_log_takes_some_hundred_points_and_no_gap_is_wide_for_its_age() -> None:
    ends, now = LogEnds(), 0
    while now < 7 * 86_400_000:
        now += 1500
        ends.note(now // 100, now)
    assert len(ends) < 500
    moments = [ends.appended_at(offset) or 0 for offset in range(200, now // 100, 997)]
    worst = max(abs(moment - offset * 100) / max(2000, 0.05 * (now - moment))
                for moment, offset in zip(moments, range(200, now // 100, 997), strict=True))  # fmt: skip
    assert worst <= 1


def test_a_quiet_week_takes_two_points() -> None:
    ends = LogEnds()
    for now in range(0, 7 * 86_400_000, 60_000):
        ends.note(5, now)
    assert len(ends) == 2
