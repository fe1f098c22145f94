"""Fit, interest and timing as functions of time, and the ledger that explains them."""

from typing import Any

import pytest

from stream.domain import scoring
from stream.domain.scoring import Explained, Outlook, grade_of, idle_row, intent, ledger
from tests.told import DAY, LADDER, rules

PLAIN = rules(LADDER)
IDLE = '[idle]\nafter = "1d"\npoints = -30\n'
GRADES = """
[grades]
A = [{ bant = 4 }, { bant = 3, fit = 30 }]
C = { fit = 10 }
"""


def outlook(text: str = "", **more: Any) -> Outlook:
    return Outlook(0, rules(text + LADDER) if text else PLAIN, **more)


@pytest.mark.parametrize(
    ("active", "at", "expected"),
    [
        pytest.param(-1, 9 * DAY, 0, id="none before the first interaction"),
        pytest.param(DAY, 0, 0, id="none before it, for who asks about the past"),
        pytest.param(0, DAY - 1, 0, id="not yet full"),
        pytest.param(0, DAY, 1, id="full at its very millisecond"),
        pytest.param(DAY, 4 * DAY - 1, 2, id="two since the newest event"),
    ],
)
def test_full_idle_periods(active: int, at: int, expected: int) -> None:
    assert outlook(IDLE, active=active).periods(at) == expected
    assert outlook(active=active).periods(at) == 0


@pytest.mark.parametrize(
    ("text", "interest", "active", "at", "expected"),
    [
        pytest.param("", {}, -1, 0, 0.0, id="nothing done"),
        pytest.param("", {float(DAY): 80.0}, 0, DAY, 40.0, id="half after a half-life"),
        pytest.param("", {float(DAY): -80.0}, 0, DAY, 0.0, id="the floor"),
        pytest.param("[interest]\nfloor = -25\n", {float(DAY): -80.0}, 0, DAY, -25.0, id="a floor of its own"),
        pytest.param(IDLE, {float(DAY): 100.0}, 0, DAY, 20.0, id="an idle period"),
        pytest.param(IDLE, {float(DAY): 100.0}, 0, 3 * DAY, 0.0, id="three of them, not below the floor"),
    ],
)
def test_interest(text: str, interest: dict[float, float], active: int, at: int, expected: float) -> None:
    assert outlook(text, interest=interest, active=active).interest_at(at) == pytest.approx(expected, abs=1e-12)


def test_the_total_is_the_sum_of_its_parts() -> None:
    look = outlook(fit=20.0, interest={float(DAY): 80.0}, timing={float(DAY): 10.0})

    assert {key: look.part(key, DAY) for key in ("fit", "interest", "timing", "total")} == {
        "fit": 20.0, "interest": 40.0, "timing": 5.0, "total": 65.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("key", "bound", "expected"),
    [
        pytest.param("interest", 80.0, False, id="what equals is reached"),
        pytest.param("interest", 80.0 + 5e-10, False, id="within the margin"),
        pytest.param("interest", 80.0 + 2e-9, True, id="beyond the margin"),
        pytest.param("grade", "B", False, id="the very grade"),
        pytest.param("grade", "C", False, id="a better grade"),
        pytest.param("grade", "A", True, id="a worse grade"),
        pytest.param("identified", True, False, id="identified as wanted"),
        pytest.param("identified", False, True, id="identified, though nobody wanted"),
        pytest.param("timing", 0.1, True, id="timing"),
        pytest.param("total", 99.9, False, id="total"),
    ],
)
def test_a_bound_is_missed(key: str, bound: Any, expected: bool) -> None:  # noqa: FBT001 -- a vector
    look = outlook(fit=20.0, grade="B", interest={float(DAY): 80.0})

    assert look.below(key, bound, 0) is expected
    assert look.falls({key: bound}, 0) is expected
    assert look.holds({key: bound}, 0) is not expected


@pytest.mark.parametrize(
    ("interest", "timing", "expected"),
    [
        pytest.param({1.0: 5.0}, {2.0: 3.0}, True, id="positive parts only"),
        pytest.param({2.0: -5.0, 1.0: 9.0}, {}, True, id="the negative part fades last"),
        pytest.param({1.0: -5.0, 2.0: 9.0}, {}, False, id="the negative part fades first"),
        pytest.param({1.0: -5.0}, {2.0: 9.0}, False, id="across interest and timing"),
        pytest.param({}, {1.0: 9.0, 2.0: -5.0}, False, id="timing falls below nothing, and rises again"),
        pytest.param({}, {}, True, id="nothing"),
    ],
)
def test_whether_a_score_can_but_fall(interest: dict[float, float], timing: dict[float, float], expected: bool) -> None:  # noqa: FBT001
    assert outlook(interest=interest, timing=timing).only_falls is expected


SLOW = {"text": IDLE, "interest": {9.0 * DAY: 50.0}}
FLOORED = {"text": "[interest]\nfloor = 10\n", "interest": {float(DAY): 80.0}, "timing": {10.0 * DAY: 30.0}}


@pytest.mark.parametrize(
    ("given", "bounds", "start", "expected"),
    [
        pytest.param({"interest": {float(DAY): 80.0}}, {"interest": 40}, 0, DAY + 1, id="decay"),
        pytest.param({"interest": {float(DAY): 80.0}}, {"interest": 40}, 5 * DAY, 5 * DAY, id="below at the start"),
        pytest.param({"interest": {float(DAY): 80.0}}, {"interest": 0}, 0, None, id="the floor keeps it for ever"),
        pytest.param({"text": IDLE, "interest": {float(DAY): 100.0}, "active": 0}, {"interest": 45}, 0, DAY, id="an idle step"),
        pytest.param({"text": IDLE, "interest": {9.0 * DAY: 200.0}, "active": 0}, {"interest": 125}, 0, 2 * DAY, id="the second"),
        pytest.param({**SLOW, "active": 0}, {"interest": 0}, 0, None, id="idle ends at the floor"),
        pytest.param(SLOW, {"interest": 25}, 0, 9 * DAY + 1, id="idle needs an interaction"),
        pytest.param(
            {"text": '[idle]\nafter = "1d"\npoints = 0\n', "interest": {9.0 * DAY: 50.0}, "active": 0},
            {"interest": 25}, 0, 9 * DAY + 1, id="an idle condition that costs nothing",
        ),
        pytest.param({"timing": {float(DAY): 8.0}}, {"timing": 2, "grade": "D"}, 0, 2 * DAY + 1, id="timing"),
        pytest.param({"fit": 5.0}, {"fit": 5, "identified": True}, 0, None, id="what time does not change"),
        pytest.param({"fit": 5.0}, {"fit": 6}, 3, 3, id="what never was"),
        pytest.param({**FLOORED}, {"total": 25}, 0, 10 * DAY + 1, id="total: interest rests on the floor, timing falls"),
        pytest.param({**FLOORED}, {"total": 110}, 0, 1, id="total: both fall"),
        pytest.param({**FLOORED}, {"total": 10}, 0, None, id="total: the floor alone is enough"),
        pytest.param({**FLOORED}, {"total": 100, "timing": 29}, 0, 4, id="the sooner of two"),
    ],
)  # fmt: skip
def test_the_first_fall(given: dict[str, Any], bounds: dict[str, Any], start: int, expected: int | None) -> None:
    look = outlook(given.get("text", ""), **{k: v for k, v in given.items() if k != "text"})

    found = look.first_fall(bounds, start)

    if expected is None or expected == start:
        assert found == expected
    else:
        assert found is not None
        assert look.falls(bounds, found)
        assert not look.falls(bounds, found - 1)
        if expected > DAY - 2:
            assert abs(found - expected) <= 1
    for likely in (start, (found or start) - 1, found or start, (found or start) + 1, 9 * DAY):
        look.likely = likely
        assert look.first_fall(bounds, start) == found, "a guess that is wrong changes nothing"


def test_a_guess_that_is_right_is_not_solved_again(monkeypatch: pytest.MonkeyPatch) -> None:
    look = outlook(interest={float(DAY): 80.0})
    look.likely = found = look.first_fall({"interest": 40}, 0) or 0
    monkeypatch.setattr(scoring, "first_below", None)
    assert look.first_fall({"interest": 40}, 0) == found


def test_a_total_on_the_floor_that_dips_with_timing_waits_for_both() -> None:
    look = outlook(
        "[interest]\nfloor = 10\n", interest={100.0: 50.0, 3_000.0: -20.0, 9_000.0: 18.0}, timing={400.0: 60.0, 50.0: -30.0}
    )
    bounds = {"total": 30.0}

    found = look.first_fall(bounds, 0)

    assert found == next(t for t in range(100_000) if look.falls(bounds, t))


@pytest.mark.parametrize(
    ("fit", "bant", "expected"),
    [
        pytest.param(0.0, 4, "A", id="all four letters"),
        pytest.param(30.0, 3, "A", id="three and a good fit"),
        pytest.param(29.0, 3, "C", id="the grade between is not defined"),
        pytest.param(10.0 - 5e-10, 0, "C", id="at least, within the margin"),
        pytest.param(9.0, 2, "D", id="none"),
    ],
)
def test_grades(fit: float, bant: int, expected: str) -> None:
    assert grade_of(rules(GRADES + LADDER), fit, bant) == expected


def test_the_ledger_is_ordered_by_points_then_rule_and_leaves_out_nothings() -> None:
    rows = [Explained("behaviours.b", 2, 5.0), Explained("behaviours.a", 1, 5.0), Explained("behaviours.z", 1, 0.0)]

    shown = ledger(rows, 0.0, [Explained("fit.x", 1, -3.0), Explained("timing.decision", 1, 9.0)])

    assert [row.rule for row in shown] == ["timing.decision", "behaviours.a", "behaviours.b", "fit.x"]


def test_the_floor_is_a_row_of_its_own() -> None:
    shown = ledger([Explained("behaviours.left", 1, -50.0)], -10.0, [Explained("fit.x", 1, 7.0)])

    assert shown == [Explained("floor", 1, 40.0), Explained("fit.x", 1, 7.0), Explained("behaviours.left", 1, -50.0)]
    assert sum(row.points for row in shown) == -3.0


def test_the_idle_row_counts_periods() -> None:
    idle = rules(IDLE + LADDER).idle

    assert idle_row(idle, 3) == [Explained("idle", 3, -90.0)]
    assert idle_row(idle, 0) == []
    assert idle_row(None, 3) == []


@pytest.mark.parametrize(("points", "expected"), [(1.0, "direct"), (1.0 - 5e-10, "direct"), (0.99, "contextual")])
def test_intent_is_direct_from_one_point_on(points: float, expected: str) -> None:
    assert intent(points) == expected
