"""Every number is explained: the ledger sums to the total at any instant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.domain import documents
from stream.domain.event import Event
from tests.property.stories import RULES, events, logged, slow
from tests.told import DAY, Log

FREE = ("sequences.read-met", "floor")


def check(total: float, rows: list[dict[str, float]]) -> None:
    points = [row["points"] for row in rows]
    assert abs(sum(points) - total) <= 1e-9 * max(1.0, sum(map(abs, points)))
    assert all(points)
    assert points == sorted(points, reverse=True)


@slow
@given(events(back=True), st.integers(0, 60 * DAY))
def test_a_lead_is_explained_at_any_later_instant(story: list[Event], later: int) -> None:
    log = logged(story)
    for person in log.people.rows.persons():
        if person.identified:
            at = person.as_of + later
            document = documents.lead(log.people.leads, person, at, at, decided=False)
            score = document["score"]
            check(score["total"], document["explain"])
            assert abs(score["fit"] + score["interest"] + score["timing"] - score["total"]) <= 1e-9
            assert score["interest"] >= RULES.floor


@slow
@given(events(back=True), st.integers(0, 60 * DAY))
def test_a_visitor_is_explained_at_any_later_instant(story: list[Event], later: int) -> None:
    log = logged(story)
    for node, row in log.visitors.items():
        at = row.state.as_of + later
        document = documents.visitor(node, row.state, RULES, None, at, at)
        check(document["interest"], document["explain"])


@slow
@given(events(back=True))
def test_every_stage_change_is_explained(story: list[Event]) -> None:
    log = logged(story)
    log.tick(story[-1].r + 400 * DAY)
    for fact in log.facts:
        if fact["type"] == "lead.stage_changed.v1":
            check(fact["data"]["score"]["total"], fact["data"]["explain"])


@slow
@given(events(["user::1"], linking=False), st.randoms())
def test_the_ledger_does_not_depend_on_the_order_of_arrival(story: list[Event], rng: object) -> None:
    end = max(event.r for event in story)
    ordered, shuffled = Log(RULES), Log(RULES)
    same_r = [event for event in story if event.crm_stage is None and not event.traits]
    for event in same_r:
        event.r = end
    ordered.add(*sorted(same_r, key=lambda event: event.t)) if same_r else None
    rng.shuffle(same_r)  # type: ignore[attr-defined]  # hypothesis' Random
    shuffled.add(*same_r) if same_r else None
    if any(not event.bot for event in same_r):
        one, other = (log.document("user::1", end)["explain"] for log in (ordered, shuffled))
        # a bonus is the one thing that may depend on order, and the floor hides it
        points = [{row["ruleId"]: row["points"] for row in rows if row["ruleId"] not in FREE} for rows in (one, other)]
        counts = [{row["ruleId"]: row["count"] for row in rows if row["ruleId"] not in FREE} for rows in (one, other)]
        assert counts[0] == counts[1]
        assert points[0] == pytest.approx(points[1], rel=1e-9)
