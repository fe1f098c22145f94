"""Weights, points and timing are a commutative sum: no order of arrival shows in them."""

from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.domain import decay, documents, visitor
from stream.domain.event import Event
from stream.domain.visitor import Visitor
from tests.told import BEHAVIOURS, DAY, LADDER, START, happened, rules

RULES = rules(BEHAVIOURS + "[timing]\nconsideration = 5\ndecision = 15\n[dwell]\nsteps = [[0, 0.5], [10, 1.0]]\n" + LADDER)
FAST = rules(BEHAVIOURS.replace('"10d"', '"1s"').replace('"5d"', '"7s"') + LADDER)
A = "anon::a"
END = START + 400 * DAY
parts = st.tuples(
    st.sampled_from("abc"), st.sampled_from([DAY / 24, DAY, 30.0 * DAY]), st.floats(-50, 50), st.integers(0, 300 * DAY)
)
happenings = st.tuples(
    st.sampled_from(["Asked", "Met", "Left", "page", "Nothing"]),
    st.integers(0, 300 * DAY),
    st.sampled_from([{}, {"topics": ["AI", "data"]}, {"topics": "ai", "dwell_s": 3}, {"dwell_s": 40}]),
    st.sampled_from([None, "shop.example/pricing", "shop.example/blog"]),
)


def event(what: tuple[str, int, dict[str, Any], str | None], r: int = END) -> Event:
    name, offset, properties, url = what
    return happened(name, A, START + offset, r=r, properties=properties, url=url)


def gathered(events: list[Event], ruleset: Any = RULES) -> Visitor:
    row, positions = Visitor(), count(1)
    for one in events:
        row = visitor.apply(row, one, next(positions), ruleset).row
    return row


def shown(row: Visitor, at: int, ruleset: Any = RULES) -> dict[str, Any]:
    document = documents.visitor(A, row.state, ruleset, None, at, at)
    timing = decay.worth(row.state.timing, row.state.landmark, at)
    return {
        "tags": {tag["tag"]: tag["weight"] for tag in document["tags"]},
        "interest": document["interest"],
        "explain": {row["ruleId"]: row["points"] for row in document["explain"]},
        "counts": dict(sorted(row.state.counts.items())),
        "timing": timing,
        "seen": (document["firstSeen"], document["lastSeen"], document["events"]),
    }


def same(one: Any, other: Any) -> None:
    assert one.keys() == other.keys()
    for key, value in one.items():
        expected = pytest.approx(other[key], rel=1e-9, abs=1e-12) if isinstance(value, dict | float) else other[key]
        assert value == expected


@given(st.lists(parts, max_size=12), st.integers(0, 300 * DAY), st.integers(300 * DAY, 500 * DAY), st.randoms())
def test_a_sum_is_the_formula_wherever_its_landmark_lies(given_parts: list[Any], landmark: int, at: int, rng: Any) -> None:
    sums: decay.Sums = {}
    shuffled = [*given_parts]
    rng.shuffle(shuffled)
    for name, h, amount, t in shuffled:
        if (t - landmark) / h < 500:
            decay.add(sums, name, h, amount, t, landmark)
    expected: dict[str, float] = {}
    for name, h, amount, t in given_parts:
        if (t - landmark) / h < 500:
            expected[name] = expected.get(name, 0.0) + amount * 2 ** (-(at - t) / h)

    assert decay.worth(sums, landmark, at) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@settings(deadline=None)
@given(st.lists(happenings, min_size=1, max_size=12), st.randoms(), st.integers(0, 90 * DAY))
def test_any_order_of_arrival_gives_the_same_row(what: list[Any], rng: Any, later: int) -> None:
    shuffled = [*what]
    rng.shuffle(shuffled)

    ordered, disordered = (gathered([event(one) for one in some]) for some in (sorted(what, key=lambda w: w[1]), shuffled))

    same(shown(ordered, END + later), shown(disordered, END + later))


@settings(deadline=None)
@given(st.lists(happenings, min_size=1, max_size=8), happenings)
def test_a_late_event_is_worth_exactly_what_it_would_have_been_on_time(what: list[Any], late: Any) -> None:
    without = gathered([event(one) for one in what])
    alone = gathered([event(late)])
    together = gathered([*(event(one) for one in what), event(late)])

    sums = decay.worth(without.state.points, without.state.landmark, END)
    for name, points in decay.worth(alone.state.points, alone.state.landmark, END).items():
        sums[name] = sums.get(name, 0.0) + points
    assert decay.worth(together.state.points, together.state.landmark, END) == pytest.approx(sums, rel=1e-9, abs=1e-12)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["Asked", "Met"]), st.integers(0, 40_000)), min_size=1, max_size=12), st.randoms())
def test_short_half_lives_move_the_landmark_and_nothing_else(what: list[tuple[str, int]], rng: Any) -> None:
    """A second's half-life over hours: sums of years ago are nothing, those of now are exact."""
    shuffled = [*what]
    rng.shuffle(shuffled)
    newest = max(s for _, s in what)
    at = START + newest * 1_000

    row = gathered([happened(name, A, START + s * 1_000, r=at) for name, s in shuffled], FAST)

    expected: dict[str, float] = {}
    for name, s in what:
        key, points, h = ("asked", 80.0, 1.0) if name == "Asked" else ("met", 30.0, 7.0)
        expected[key] = expected.get(key, 0.0) + points * 2 ** (-(newest - s) / h)
    assert decay.worth(row.state.points, row.state.landmark, at) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@settings(deadline=None)
@given(st.lists(happenings, max_size=10))
def test_a_row_rebuilt_from_its_bytes_goes_on_the_same(what: list[Any]) -> None:
    whole, cut = Visitor(), Visitor()
    for position, one in enumerate(what, 1):
        happening = event(one)
        whole = visitor.apply(whole, happening, position, RULES).row
        cut = visitor.apply(visitor.decode(visitor.encode(cut)), happening, position, RULES).row

    assert visitor.encode(cut) == visitor.encode(whole)
