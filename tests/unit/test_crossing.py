"""The first millisecond at which a decaying score is below a threshold."""

import pytest

from stream.domain.crossing import END, _settle, first_below
from stream.domain.decay import DAY, Curve, value

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


@pytest.mark.parametrize("guess", [3, 9, 10, 11, 40])
def test_settling_walks_to_the_first_instant_from_either_side(guess: int) -> None:
    assert _settle(lambda t: t >= 10, guess) == 10
