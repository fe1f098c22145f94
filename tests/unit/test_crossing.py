"""The first millisecond at which a decaying score is below a threshold."""

from math import log2

import pytest

from stream.domain import crossing
from stream.domain.crossing import END, _settled, first_below
from stream.domain.curves import Curve, value
from stream.domain.decay import DAY

H = 1_000.0


@pytest.mark.parametrize(
    ("curve", "threshold", "start", "end", "expected"),
    [
        pytest.param({H: 100.0}, 50.0, 0, END, 1_001, id="the first whole ms below, not the one that equals"),
        pytest.param({H: 100.0}, 25.0, 0, END, 2_001, id="two half-lives"),
        pytest.param({H: 100.0}, 25.0, 1_500, END, 2_001, id="asked from later on"),
        pytest.param({H: 100.0}, 200.0, 7, END, 7, id="below at once"),
        pytest.param({H: 100.0}, 0.0, 0, END, None, id="a positive sum never falls below nothing"),
        pytest.param({H: 100.0}, 50.0, 0, 1_001, None, id="the end is not among the instants asked for"),
        pytest.param({H: 100.0}, 50.0, 0, 1_002, 1_001, id="the last instant asked for is"),
        pytest.param({}, 0.0, 0, END, None, id="an empty curve stays at nothing"),
        pytest.param({}, 1.0, 5, END, 5, id="an empty curve is below any threshold"),
        pytest.param({H: 60.0, 2 * H: 40.0}, 35.0, 0, END, 2_000, id="several half-lives: 60/4 + 40/2 is 35 at 2000 ms"),
        pytest.param({H: 60.0, 2 * H: 0.0}, 30.0, 0, END, 1_001, id="a part of nothing is no part"),
        pytest.param({H: 60.0, 2 * H: 40.0}, 35.0, 1_500, END, 2_000, id="several half-lives, asked from later on"),
        pytest.param({H: 1e6, 1e6 * H: 100.0}, 90.0, 0, END, 152_003_094, id="a part that is gone long before"),
        pytest.param({H: 60.0, 2 * H: 40.0}, 35.0, 0, 500, None, id="several half-lives: not before the end"),
        pytest.param({4 * H: 100.0, H: -10.0}, 50.0, 0, END, 3_925, id="a negative part that fades first"),
        pytest.param({H: 100.0, 100 * H: -10.0}, 0.0, 0, END, 3_357, id="a negative part that outlives the positive one"),
        pytest.param({4 * H: 100.0, H: -200.0}, -50.0, 0, END, 0, id="begins below although it will rise"),
        pytest.param({4 * H: 100.0, H: -20.0}, 0.0, 0, END, None, id="a negative part that never pulls it below"),
        pytest.param({H: -100.0}, -200.0, 0, END, None, id="only negative parts rise"),
        pytest.param({H: 100.0, 2 * H: -10.0}, 50.0, 0, 1, None, id="one instant to ask, not below"),
        pytest.param({H: 100.0, 1e12 * H: -1.5e-9}, 0.0, 0, END, 37_542, id="what pulls it below is hardly anything"),
        pytest.param(
            {1_000_000.0 * DAY: 100.0}, 1.0, 0, END, None, id="a half-life of three thousand years ends after all instants"
        ),
    ],
)
def test_the_first_instant_below(curve: Curve, threshold: float, start: int, end: int, expected: int | None) -> None:
    found = first_below(curve, 0, threshold, start, end)

    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert abs(found - expected) <= 1
        assert value(curve, 0, found) < threshold - 1e-9 + 1e-12


def test_a_dip_between_two_held_ends_is_found() -> None:
    curve = {50.0: 60.0, 400.0: -90.0, 3_000.0: 100.0}
    threshold = 49.0

    found = first_below(curve, 0, threshold, 0, END)

    assert found == next(t for t in range(10_000) if value(curve, 0, t) < threshold - 1e-9)
    assert value(curve, 0, 2_000) > threshold  # it rises again


def test_the_margin_keeps_what_equals() -> None:
    assert first_below({H: 100.0}, 0, 100.0, 0, END) == 1
    assert first_below({H: 100.0 - 5e-10}, 0, 100.0, 0, END) == 1
    assert first_below({H: 100.0 - 2e-9}, 0, 100.0, 0, END) == 0


def test_a_score_that_grazes_the_threshold_for_long_is_passed_in_few_steps(steps: list[float]) -> None:
    curve = {30.0 * DAY: 100.0, 10.0 * DAY: -60.0, 90.0 * DAY: -20.0}  # rises for days, then falls for months
    least = min(value(curve, 0, at) for at in range(0, int(40 * DAY), 60_000))

    assert first_below(curve, 0, least - 1e-6, 0, int(40 * DAY)) is None
    assert len(steps) < 100


def test_a_negative_part_that_fades_sooner_takes_a_handful_of_steps(steps: list[float]) -> None:
    assert first_below({14 * DAY: -1.0, 90 * DAY: 10.0}, 0, 0.0, 7, END) is None
    assert len(steps) < 6


def test_a_negative_part_that_outlives_the_positive_one_takes_a_handful_of_steps(steps: list[float]) -> None:
    found = first_below({14 * DAY: 100.0, 90 * DAY: -10.0}, 0, 0.0, 7, END)

    assert found == pytest.approx(14 * DAY * log2(10) / (1 - 14 / 90), rel=1e-6)
    assert len(steps) < 12


@pytest.mark.parametrize("asked_from", [0, 1_000, 3_355, 3_356])
def test_the_first_instant_is_the_same_from_wherever_it_is_looked_for(asked_from: int) -> None:
    curve = {H: 100.0, 100 * H: -10.0}

    found = first_below(curve, 0, 0.0, asked_from, END)

    assert found == 3_356
    assert value(curve, 0, 3_356) < -1e-9 <= value(curve, 0, 3_355)


@pytest.mark.parametrize("late", [0, 1, 30])
def test_rounding_that_went_too_far_is_walked_back(late: int) -> None:
    assert _settled({H: 100.0}, 0, 50.0, 0, 1_001 + late) == 1_001


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The instants that were looked at."""
    looked: list[float] = []

    def counted(curve: Curve, until_base: int, limit: float) -> float | None:
        looked.append(until_base)
        return sure_step(curve, until_base, limit)

    sure_step = crossing._sure_step
    monkeypatch.setattr(crossing, "_sure_step", counted)
    return looked
