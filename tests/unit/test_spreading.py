"""Who gets which partitions."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.runtime.spreading import spread

HELD = st.dictionaries(st.sampled_from("abcdef"), st.sets(st.integers(0, 20)), min_size=1)


@given(st.integers(1, 16), HELD)
def test_every_partition_has_one_member_and_shares_differ_by_one_at_most(partitions: int, held: Mapping[str, set[int]]) -> None:
    shares = spread(partitions, held)
    assert sorted(n for share in shares.values() for n in share) == list(range(partitions))
    sizes = [len(share) for share in shares.values()]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(
    ("partitions", "held", "moved"),
    [
        pytest.param(8, {"a": {0, 1, 2, 3}, "b": {4, 5, 6, 7}, "new": set()}, 2, id="a third joins two"),
        pytest.param(8, {"a": {0, 1, 2}, "b": {3, 4, 5}}, 2, id="one of three left"),
        pytest.param(8, {"a": set(range(8)), "new": set()}, 4, id="a second joins one"),
        pytest.param(1, {"a": set(), "b": {0}, "c": set()}, 0, id="the people stay where they are"),
        pytest.param(8, {"a": {0, 1, 2, 3}, "b": {4, 5, 6, 7}}, 0, id="nothing happened"),
        pytest.param(2, {"a": {0}, "b": {1}, "new": set()}, 0, id="more members than partitions"),
        pytest.param(4, {"a": {0, 1}, "zombie": {0, 1}}, 2, id="two claim the same"),
        pytest.param(2, {"a": {0, 1, 7}}, 0, id="a partition that is no more"),
    ],
)  # fmt: skip
def test_no_more_moves_than_must(partitions: int, held: Mapping[str, set[int]], moved: int) -> None:
    shares = spread(partitions, held)
    stayed = sum(len(shares[member] & held[member]) for member in held)
    assert partitions - stayed == moved
