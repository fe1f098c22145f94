"""The stage machine: vectors over predicates, each case an incident it guards against."""

import pytest

from stream.domain.scoring import Outlook
from stream.domain.stages import Move, Standing, judge, next_due
from tests.told import DAY, rules

LADDER = """
[interest]
floor = -100
[idle]
after = "100d"
points = -30
[[stages]]
name = "lead"
enter = { identified = true }
[[stages]]
name = "mql"
enter = { interest = 60 }
exit = { interest = 40 }
dwell = "2d"
[[stages]]
name = "opportunity"
owner = "crm"
[[stages]]
name = "sql"
enter = { interest = 120 }
exit = { interest = 90 }
[[stages]]
name = "odd"
enter = { total = 50, fit = 500 }
exit = { fit = 499 }
"""
RULES = rules(LADDER)
BY_NAME = {stage.name: stage for stage in RULES.stages}
H = 10.0 * DAY


def standing(stage: str, entered_at: int = 0, hold_until: int = -1) -> Standing:
    return Standing(BY_NAME[stage], entered_at, hold_until)


def score(interest: float, *, fit: float = 0.0, identified: bool = True, active: int = -1) -> Outlook:
    return Outlook(0, RULES, fit, identified=identified, interest={H: interest} if interest else {}, active=active)


@pytest.mark.parametrize(
    ("now", "look", "at", "expected"),
    [
        pytest.param(standing("lead"), score(59), 0, None, id="nothing reached"),
        pytest.param(standing("lead"), score(60), 0, ("mql", "threshold_up"), id="exactly reached"),
        pytest.param(
            standing("lead"), score(150), 0, ("sql", "threshold_up"), id="the highest whose enter holds, over the CRM's"
        ),
        pytest.param(standing("mql"), score(50), 9 * DAY, ("lead", "threshold_down"), id="decayed below its exit by then"),
        pytest.param(standing("mql"), score(50), 0, None, id="hysteresis: below enter, not below exit"),
        pytest.param(standing("mql"), score(10), DAY, None, id="its dwell is not over"),
        pytest.param(standing("mql"), score(10), 2 * DAY, ("lead", "threshold_down"), id="its dwell is over, to the very ms"),
        pytest.param(standing("mql"), score(200), DAY, ("sql", "threshold_up"), id="dwell holds nobody back on the way up"),
        pytest.param(standing("sql"), score(80), 0, ("mql", "threshold_down"), id="down to the nearest that stands"),
        pytest.param(standing("sql"), score(20), 0, ("lead", "threshold_down"), id="past those that fall too"),
        pytest.param(standing("lead"), score(0), 99 * DAY, None, id="without an exit nobody falls"),
        pytest.param(standing("opportunity"), score(999), 0, None, id="the CRM's stage is not the engine's to move"),
        pytest.param(standing("mql", 0, DAY), score(999), DAY - 1, None, id="the CRM holds: no promotion"),
        pytest.param(standing("mql", 0, DAY), score(999), DAY, ("sql", "threshold_up"), id="the hold has ended, to the very ms"),
        pytest.param(standing("sql", 0, DAY), score(0), DAY - 1, None, id="the CRM holds: no demotion"),
        pytest.param(standing("sql"), score(200, fit=500), 0, ("odd", "threshold_up"), id="enter with several keys"),
    ],
)
def test_a_judgement(now: Standing, look: Outlook, at: int, expected: tuple[str, str] | None) -> None:
    move = judge(RULES.stages, now, look, at)

    assert (None if move is None else (move.to.name, move.code)) == expected
    assert move is None or move.at == at


def test_a_stage_whose_exit_holds_is_not_entered() -> None:
    ladder = rules(
        '[[stages]]\nname = "a"\nenter = { fit = 5 }\n[[stages]]\nname = "b"\nenter = { interest = 5, grade = "D" }\n'
        "exit = { interest = 4.9999999995 }\n"
    ).stages
    look = Outlook(0, RULES, 9.0, interest={H: 5.0})

    assert judge(ladder, Standing(ladder[0], 0, -1), look, 0) == Move(ladder[1], 0, "threshold_up")


def test_below_the_lowest_is_visitor() -> None:
    ladder = rules('[[stages]]\nname = "lead"\nenter = { interest = 9 }\nexit = { interest = 5 }\n').stages

    move = judge(ladder, Standing(ladder[0], 0, -1), Outlook(0, RULES, interest={H: 1.0}), 0)

    assert move is not None
    assert (move.to.name, move.to.order) == ("visitor", 0)


@pytest.mark.parametrize(
    ("now", "look", "after", "expected"),
    [
        pytest.param(standing("mql"), score(80), 0, ("lead", 10 * DAY, "decay"), id="falling below its exit"),
        pytest.param(standing("sql"), score(180), 0, ("mql", 10 * DAY, "decay"), id="to the nearest that stands"),
        pytest.param(standing("lead"), score(80), 0, None, id="no exit, nothing due"),
        pytest.param(standing("opportunity"), score(80), 0, None, id="the CRM's stage: nothing due"),
        pytest.param(standing("mql"), score(10), 0, ("lead", 2 * DAY, "decay"), id="the end of its dwell"),
        pytest.param(standing("mql", 0, 5 * DAY), score(10), 0, ("lead", 5 * DAY, "decay"), id="the end of the CRM's hold"),
        pytest.param(standing("mql", 0, 5 * DAY), score(80), 0, ("lead", 10 * DAY, "decay"), id="held, but falls later only"),
        pytest.param(standing("mql"), score(10), 3 * DAY, ("lead", 3 * DAY + 1, "decay"), id="overdue: at once, after asOf"),
        pytest.param(
            standing("mql"), Outlook(0, RULES, interest={9_999.0 * DAY: 65.0}, active=0), 0, ("lead", 100 * DAY, "idle"),
            id="a full idle period takes it",
        ),
        pytest.param(
            standing("mql", 100 * DAY - 2 * DAY), Outlook(0, RULES, interest={H: 65.0}, active=0), 99 * DAY,
            ("lead", 100 * DAY, "decay"), id="an idle period and the end of dwell at once: it had fallen without",
        ),
        pytest.param(
            standing("odd"), score(0, fit=500), 0, None, id="what time does not change is never due",
        ),
    ],
)  # fmt: skip
def test_what_is_due_next(now: Standing, look: Outlook, after: int, expected: tuple[str, int, str] | None) -> None:
    move = next_due(RULES.stages, now, look, after)

    if expected is None:
        assert move is None
    else:
        assert move is not None
        assert (move.to.name, move.code) == (expected[0], expected[2])
        assert abs(move.at - expected[1]) <= 1


def test_one_change_at_a_time_then_the_next_falls_from_there() -> None:
    look = score(180)
    first = next_due(RULES.stages, standing("sql"), look, 0)
    assert first is not None

    then = next_due(RULES.stages, Standing(first.to, first.at, -1), look, first.at)

    assert then is not None
    assert (first.to.name, then.to.name) == ("mql", "lead")
    assert then.at > first.at
