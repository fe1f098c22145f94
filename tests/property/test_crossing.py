"""The next change that sure steps find equals a search that looks at every millisecond."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stream.domain import stages
from stream.domain.crossing import END, first_below
from stream.domain.curves import Curve, value
from stream.domain.decay import DAY
from stream.domain.scoring import Outlook
from stream.domain.stages import Standing
from tests.told import rules

WINDOW = 2_500
half_lives = st.sampled_from([40.0, 90.0, 200.0, 450.0, 1_000.0, 2_300.0])
curves = st.dictionaries(half_lives, st.integers(-900, 900).map(lambda n: n / 10), max_size=4)
bounds = st.dictionaries(
    st.sampled_from(["interest", "timing", "total"]), st.integers(-300, 1_200).map(lambda n: n / 10), min_size=1
)


def bisect(holds: Callable[[int], bool], low: int, high: int) -> int:
    """Return the first ms in (low, high] at which `holds`, given it does not at `low` and does from some ms on to `high`."""
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle
    return high


def ladder(floor: float, idle: float, exits: dict[str, float], dwell: str) -> str:
    """Return rules with two stages that fall; idle periods are of a second."""
    enter = {key: bound + 0.5 for key, bound in exits.items()}
    inline = [", ".join(f"{key} = {bound}" for key, bound in table.items()) for table in (enter, exits)]
    return (
        f"[interest]\nfloor = {floor}\n"
        + (f'[idle]\nafter = "1s"\npoints = {idle}\n' if idle else "")
        + '[[stages]]\nname = "low"\nenter = { interest = 20 }\nexit = { interest = 10 }\n'
        + f'[[stages]]\nname = "high"\nenter = {{ {inline[0]} }}\nexit = {{ {inline[1]} }}\ndwell = "{dwell}"\n'
    )


def naive(look: Outlook, at: int) -> dict[str, float]:
    """Return the parts at an instant, written down a second time."""
    interest = sum(v * 2 ** (-at / h) for h, v in look.interest.items())
    if look.rules.idle is not None and look.active >= 0:
        interest += look.rules.idle.points * max(0, (at - look.active) // 1_000)
    interest = max(interest, look.rules.floor)
    timing = sum(v * 2 ** (-at / h) for h, v in look.timing.items())
    return {"interest": interest, "timing": timing, "total": interest + timing + look.fit}


def misses(look: Outlook, exits: dict[str, float], at: int) -> bool:
    parts = naive(look, at)
    return any(parts[key] < bound - 1e-9 for key, bound in exits.items())


def close(look: Outlook, exits: dict[str, float], at: int) -> bool:
    """Tell whether rounding may decide: a part is within 1e-10 of its bound."""
    parts = naive(look, at)
    return any(abs(parts[key] - bound + 1e-9) < 1e-10 for key, bound in exits.items())


@settings(max_examples=250, deadline=None)
@given(
    interest=curves, timing=curves, exits=bounds, fit=st.sampled_from([0.0, 20.0, -15.0]),
    floor=st.sampled_from([0.0, -30.0, 12.0]), idle=st.sampled_from([0, -3, -25]), active=st.sampled_from([-1, 0, 350]),
    dwell=st.sampled_from(["0s", "1s"]), hold=st.sampled_from([-1, 700]), after=st.integers(0, 600),
)  # fmt: skip
def test_the_next_change_is_the_first_millisecond_a_search_finds(  # noqa: PLR0917 -- hypothesis fills them
    interest: Curve, timing: Curve, exits: dict[str, float], fit: float, floor: float, idle: int, active: int,
    dwell: str, hold: int, after: int,
) -> None:  # fmt: skip
    given_rules = rules(ladder(floor, idle, exits, dwell))
    look = Outlook(0, given_rules, fit, "D", interest=interest, timing=timing, active=active)
    now = Standing(given_rules.stages[1], 0, hold)
    first = max(after + 1, hold, 1_000 if dwell == "1s" else 0)
    searched = next((t for t in range(first, first + WINDOW) if misses(look, exits, t)), None)
    assume(searched is None or not any(close(look, exits, t) for t in (searched - 1, searched)))

    move = stages.next_due(given_rules.stages, now, look, after)

    if searched is not None:
        assert move is not None
        assert move.at == searched
        stands = naive(look, searched)["interest"] >= 10 - 1e-9
        assert move.to.name == ("low" if stands else "visitor")
    elif move is not None:
        assert move.at >= first + WINDOW
        assert misses(look, exits, move.at) or close(look, exits, move.at)
        assert not misses(look, exits, move.at - 1) or close(look, exits, move.at - 1)


@settings(max_examples=300, deadline=None)
@given(
    curve=st.dictionaries(st.sampled_from([DAY / 24, DAY, 7.0 * DAY, 365.0 * DAY]), st.floats(0.01, 1e4), min_size=1),
    share=st.floats(1e-6, 1.0), start=st.integers(0, 30 * DAY),
)  # fmt: skip
def test_a_sum_of_positive_parts_crosses_where_bisection_says(curve: Curve, share: float, start: int) -> None:
    threshold = sum(curve.values()) * share
    assume(threshold > 1e-6)

    def below(t: int) -> bool:
        return value(curve, 0, t) < threshold - 1e-9

    found = first_below(curve, 0, threshold, start, END)

    assert found is not None
    if below(start):
        assert found == start
    else:
        assert abs(found - bisect(below, start, 400 * 365 * DAY)) <= 1


@settings(max_examples=200, deadline=None)
@given(curve=curves, threshold=st.integers(-500, 900).map(lambda n: n / 10), data=st.data())
def test_a_crossing_does_not_depend_on_where_the_base_lies(curve: Curve, threshold: float, data: Any) -> None:
    base = data.draw(st.integers(1, 500))
    moved = {h: v * 2 ** (-base / h) for h, v in curve.items()}
    found, again = (first_below(c, b, threshold, base, END) for c, b in ((curve, 0), (moved, base)))

    assert (found is None) == (again is None)
    if found is not None and again is not None and found != again:
        edge = min(found, again)
        assert abs(value(curve, 0, edge) - threshold + 1e-9) < 1e-10


@settings(max_examples=300, deadline=None)
@given(
    curve=st.dictionaries(
        st.sampled_from([DAY / 24, DAY, 7.0 * DAY, 14.0 * DAY, 90.0 * DAY]), st.floats(-100, 100), min_size=2, max_size=4
    ),
    above=st.sampled_from([-1.0, 0.0, 1e-6, 1e-3, 1.0]), start=st.integers(0, 3 * DAY),
)  # fmt: skip
def test_no_step_passes_a_fall(curve: Curve, above: float, start: int) -> None:
    """The threshold is one that the curve grazes."""
    last = start + 400 * DAY
    looks = sorted({start + int((last - start) * (n / 400) ** 4) for n in range(401)})
    least = min(looks, key=lambda at: value(curve, 0, at))
    threshold = value(curve, 0, least) + above

    found = first_below(curve, 0, threshold, start, last)

    until = last if found is None else found
    assert all(value(curve, 0, at) > threshold - 1e-9 - 1e-11 for at in looks if at < until)
    if above > 0:
        assert found is not None
        assert found <= least
    if found is not None:
        assert value(curve, 0, found) < threshold - 1e-9 <= value(curve, 0, max(found - 1, start)) or found == start


PERIODS = 300
slow = st.sampled_from([20_000.0, 90_000.0, 333_000.0, 1_000_000.0, 9_000_000.0])
slow_curves = st.dictionaries(slow, st.integers(-900, 900).map(lambda n: n / 10), min_size=1, max_size=4)


@settings(deadline=None, max_examples=150)
@given(slow_curves, slow_curves, st.integers(1, 60), st.integers(0, 200), st.integers(-2_000, 2_000), bounds)
def test_idle_periods_that_are_skipped_miss_no_bound(
    interest: Curve, timing: Curve, idle: int, floor: int, active: int, exits: dict[str, float]
) -> None:
    """Between two looks of a tenth of a second no sum here falls and rises again."""
    text = ladder(-floor / 10, -idle / 100, {"interest": 1.0}, "1s")
    look = Outlook(0, rules(text), interest=interest, timing=timing, active=max(active, 0))
    assume(not look.falls(exits, 0))
    found = look.first_fall(exits, 0)
    assert found is None or (look.falls(exits, found) and not look.falls(exits, found - 1))
    for at in range(0, min(found or END, PERIODS * 1_000), 100):
        assert not look.falls(exits, at)


def test_a_million_idle_periods_are_not_looked_at_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    falls = Outlook.falls

    def counted(*given: Any) -> bool:
        nonlocal looks
        looks += 1
        return falls(*given)

    monkeypatch.setattr(Outlook, "falls", counted)
    text = ladder(0.0, -0.0001, {"interest": 1.0}, "1s")
    look = Outlook(0, rules(text), interest={1e15: 100.0, 1e6: -1.0}, active=0)
    found = look.first_fall({"interest": 40.0}, 0)
    assert found is not None
    assert abs(found - 600_000_000) < 1_000_000
    assert looks < 100
