"""Weights halve every half-life, exactly, however late and in whatever order their parts arrive."""

import pytest

from stream.domain import decay
from stream.domain.decay import DAY, Sums

YEAR = 365 * DAY


@pytest.mark.parametrize(
    ("after", "keep", "expected"),
    [
        pytest.param(7 * DAY, 0.5, 7 * DAY, id="half is kept after one half-life"),
        pytest.param(7 * DAY, 0.25, 3.5 * DAY, id="a quarter after two"),
        pytest.param(7 * DAY, 0.7, 1_175_343_045.33, id="the golden retention: 0.7 after seven days"),
    ],
)
def test_a_retention_is_a_half_life(after: int, keep: float, expected: float) -> None:
    assert decay.half_life(after, keep) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("weight", "age_days", "expected"),
    [
        pytest.param(1.0, 0, 1.0, id="golden: tried the product just now"),
        pytest.param(0.8 * 0.8, 7, 0.448, id="golden: saved in WeChat seven days ago"),
        pytest.param(1.0, 14, 0.49, id="twice the retention"),
    ],
)
def test_worth_follows_the_golden_cases(weight: float, age_days: int, expected: float) -> None:
    sums: Sums = {}
    decay.add(sums, "tag", decay.half_life(7 * DAY, 0.7), weight, 5 * DAY, 5 * DAY)

    assert decay.worth(sums, 5 * DAY, (5 + age_days) * DAY)["tag"] == pytest.approx(expected, abs=1e-9)


def test_a_late_part_is_worth_what_it_would_have_been_on_time() -> None:
    on_time: Sums = {}
    decay.add(on_time, "tag", DAY, 3.0, 0, 0)
    decay.add(on_time, "tag", DAY, 5.0, 4 * DAY, 0)
    late: Sums = {}
    decay.add(late, "tag", DAY, 5.0, 4 * DAY, 4 * DAY)
    decay.add(late, "tag", DAY, 3.0, 0, 4 * DAY)

    assert decay.worth(late, 4 * DAY, 9 * DAY)["tag"] == pytest.approx(decay.worth(on_time, 0, 9 * DAY)["tag"], rel=1e-12)


@pytest.mark.parametrize(
    ("half_lives", "expected"),
    [
        pytest.param(0, 1.0, id="now"),
        pytest.param(2, 0.25, id="two half-lives on"),
        pytest.param(9_999, 0.0, id="nothing, and no error"),
        pytest.param(-2, 4.0, id="two half-lives before its time"),
        pytest.param(-9_999, 2.0**decay.FAR, id="long before its time, and no error"),
    ],
)
def test_the_share_that_is_left(half_lives: int, expected: float) -> None:
    assert decay.left(half_lives * DAY, DAY) == expected


def test_moving_the_landmark_changes_no_worth() -> None:
    sums: Sums = {}
    decay.add(sums, "a", DAY, 3.0, 0, 0)
    decay.add(sums, "b", 2 * DAY, 4.0, 0, 0)
    before = decay.worth(sums, 0, 20 * DAY)

    decay.rebase(sums, 0, 10 * DAY)

    assert decay.worth(sums, 10 * DAY, 20 * DAY) == pytest.approx(before, rel=1e-12)


@pytest.mark.parametrize("years", [1, 30, 8_000])
def test_what_lies_years_back_at_a_half_life_of_a_second_is_nothing_and_no_error(years: int) -> None:
    sums: Sums = {}
    decay.add(sums, "old", 1_000.0, 3.0, 0, 0)

    decay.rebase(sums, 0, years * YEAR)
    decay.add(sums, "older", 1_000.0, 3.0, 0, years * YEAR)
    decay.add(sums, "new", 1_000.0, 1.0, years * YEAR, years * YEAR)

    assert decay.worth(sums, years * YEAR, years * YEAR) == {"old": 0.0, "older": 0.0, "new": 1.0}


def test_one_name_may_have_parts_of_several_half_lives() -> None:
    sums: Sums = {}
    decay.add(sums, "tag", DAY, 4.0, 0, 0)
    decay.add(sums, "tag", 2 * DAY, 4.0, 0, 0)

    assert decay.worth(sums, 0, 2 * DAY) == {"tag": 1.0 + 2.0}
