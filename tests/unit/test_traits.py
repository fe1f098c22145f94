"""Traits merge leaf by leaf, and no producer can make a row grow without bound."""

from typing import Any

import pytest

from stream.domain import traits
from stream.domain.state import State, Trait
from stream.domain.traits import GROUPS, LEAF, LEAVES, TOTAL


def merged(*told: tuple[int, dict[str, Any]]) -> dict[str, Trait]:
    known: dict[str, Trait] = {}
    for t, values in told:
        traits.merge(known, values, t, {"email": "free"})
    return known


def test_word_lists_speak_of_email_and_phone_only() -> None:
    known = merged((1, {"email": "x@y.z", "title": "Head"}))

    assert known == {"email": Trait("x@y.z", 1, "free"), "title": Trait("Head", 1)}


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        pytest.param("x" * (LEAF - 1), True, id="as long as may be"),
        pytest.param("x" * LEAF, False, id="a longer text"),
        pytest.param(["x" * LEAF], False, id="a text in a list"),
        pytest.param([[{"a": ["x" * LEAF]}]], False, id="a text anywhere in it"),
        pytest.param([{"x" * LEAF: 1}], False, id="a long name in it"),
        pytest.param([{}] * LEAF, False, id="a long list of nothing"),
        pytest.param([1, True, None, {"a": "b"}], True, id="a list as people send them"),
    ],
)
def test_a_leaf_that_is_too_long_is_not_kept(value: Any, kept: bool) -> None:  # noqa: FBT001 -- a vector
    assert ("n" in merged((1, {"n": value}))) is kept


def test_beyond_the_number_of_leaves_the_oldest_leave() -> None:
    known = merged((2, {f"n{i}": i for i in range(LEAVES)}), (1, {"old": 1}), (3, {"new": 1}))

    assert len(known) == LEAVES
    assert "old" not in known
    assert "n0" not in known
    assert "new" in known


def test_beyond_the_characters_the_oldest_leave() -> None:
    known = merged(*((t, {f"n{t:02}": "x" * (LEAF - 3)}) for t in range(40)))

    assert sum(traits.size(path, trait.value) for path, trait in known.items()) <= TOTAL
    assert list(known) == [f"n{t:02}" for t in range(40 - TOTAL // LEAF, 40)]


def test_beyond_the_number_of_groups_the_oldest_leaves() -> None:
    state = State()
    for t in range(GROUPS + 1):
        traits.merge_group(state, f"g{t}", {"name": "x"}, t)

    assert list(state.groups) == [f"g{t}" for t in range(1, GROUPS + 1)]


def test_beyond_the_characters_the_oldest_group_leaves() -> None:
    state = State()
    for t in range(3):
        traits.merge_group(state, f"g{t}", {f"n{i:02}": "x" * 4_000 for i in range(30)}, t)

    assert list(state.groups) == ["g2"]
