"""An ordered chain of behaviours within a window."""

import pytest

from stream.domain.ruleset.model import Sequence
from stream.domain.sequences import completed_at

CHAIN = Sequence("chain", ("read", "met", "tried"), 100, 20.0, 1.0)
TWICE = Sequence("twice", ("read", "read", "met"), 100, 20.0, 1.0)


@pytest.mark.parametrize(
    ("chain", "times", "expected"),
    [
        pytest.param(CHAIN, {"read": [0], "met": [10], "tried": [20]}, 20, id="in order"),
        pytest.param(CHAIN, {"read": [0], "met": [0], "tried": [0]}, 0, id="equal times are in order"),
        pytest.param(CHAIN, {"read": [0], "met": [30], "tried": [20]}, None, id="out of order"),
        pytest.param(CHAIN, {"read": [0], "met": [10], "tried": [5, 20, 30]}, 20, id="others in between; the earliest end"),
        pytest.param(CHAIN, {"read": [0], "met": [10], "tried": [100]}, 100, id="the window includes its end"),
        pytest.param(CHAIN, {"read": [0], "met": [10], "tried": [101]}, None, id="one ms outside the window"),
        pytest.param(CHAIN, {"read": [0, 5], "met": [10], "tried": [101]}, 101, id="a later first step brings it in"),
        pytest.param(CHAIN, {"read": [0], "tried": [20]}, None, id="a step never done"),
        pytest.param(CHAIN, {"met": [10], "tried": [20]}, None, id="never begun"),
        pytest.param(CHAIN, {"read": [0, 300], "met": [10, 310], "tried": [150, 320]}, 320, id="two tries, the second in time"),
        pytest.param(TWICE, {"read": [0], "met": [10]}, None, id="a behaviour named twice needs two events"),
        pytest.param(TWICE, {"read": [0, 4], "met": [10]}, 10, id="two events of it"),
        pytest.param(TWICE, {"read": [4, 4], "met": [4]}, 4, id="two events of one millisecond"),
    ],
)
def test_when_a_chain_is_complete(chain: Sequence, times: dict[str, list[int]], expected: int | None) -> None:
    assert completed_at(chain, times) == expected
