"""A curve is what many sums come to together, whatever their names."""

import pytest

from stream.domain.curves import Curve, accumulate, value
from stream.domain.decay import DAY, Sums


def test_a_curve_is_the_sum_of_all_names_from_its_base_on() -> None:
    curve: Curve = {}
    first: Sums = {DAY: {"a": 1.0, "b": 3.0}, 2 * DAY: {"a": 8.0}}
    accumulate(curve, first, 0, DAY)
    accumulate(curve, {DAY: {"c": 2.0}}, DAY, DAY)

    assert curve == pytest.approx({DAY: 2.0 + 2.0, 2 * DAY: 8.0 * 2**-0.5})
    assert value(curve, DAY, 3 * DAY) == pytest.approx(1.0 + 4.0 * 2**-0.5)
