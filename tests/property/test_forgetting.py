"""Whenever forgotten rows are removed, nobody can tell."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stream.domain import visitor
from stream.domain.event import Event
from stream.domain.ruleset.load import load
from tests.property.stories import RULES, events, slow
from tests.told import DAY, Log

HORIZON = 100 * DAY
FORGETTING = load(RULES.text + b'[visitors]\nidle_horizon = "100d"\n')


@st.composite
def scattered(draw: Any) -> list[Event]:
    """Draw events between which nothing happens for as long as the horizon, now and then."""
    story, later = draw(events(back=True)), 0
    for event in story:
        later += draw(st.sampled_from([0, 0, 60 * DAY, HORIZON, HORIZON + 1]))
        event.t, event.r = event.t + later, event.r + later
    return story  # type: ignore[no-any-return]  # hypothesis draws Any


@slow
@given(scattered(), st.data())
def test_removing_forgotten_rows_at_any_time_changes_nothing(story: list[Event], data: Any) -> None:
    kept, cleaned = Log(FORGETTING), Log(FORGETTING)
    for number, event in enumerate(story):
        until = min(one.r for one in story[number:])  # what a tick may say: all that was received before has been handed on
        for node, row in [*cleaned.visitors.items()]:
            if visitor.seems_forgotten(visitor.encode(row), until, FORGETTING) and data.draw(st.booleans()):
                del cleaned.visitors[node]
        kept.add(event)
        cleaned.add(event)

    assert cleaned.out == kept.out
    end = max(event.r for event in story)
    for node, row in kept.visitors.items():
        there = cleaned.visitors.get(node)
        if there is None:
            assert visitor.is_forgotten(row, end, FORGETTING)
        else:
            assert (there.state, there.listened, there.recent, there.caps) == (row.state, row.listened, row.recent, row.caps)
