"""Cuts: what a fold says the next one takes is never less than what it takes, and nothing that follows depends on them."""

from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from stream.domain.event import Event
from stream.domain.ownrows import META
from stream.domain.people import People
from stream.domain.rows import KEPT_BYTES
from tests.property.stories import RULES, events, logged, slow


def taken(people: People) -> tuple[int, int]:
    """Return what a fold says, and what the cut takes without the log's own row."""
    told = people.size
    return told, sum(len(key) + len(value or b"") for key, value in people.cut() if key != META)


@slow
@given(events(), st.data())
def test_a_cut_takes_no_more_than_was_said(story: list[Event], data: Any) -> None:
    people = People({}, 1, "leadstream", RULES, accounts=True)
    for offset, record in enumerate(logged(story).records, 1):
        people.apply(offset, record)
        if data.draw(st.booleans()):
            told, took = taken(people)
            assert took <= told
    told, took = taken(people)
    assert took <= told


@slow
@given(events(back=True), st.data(), st.sampled_from([0, 500, KEPT_BYTES]))
def test_what_stays_decoded_behind_a_cut_is_what_the_rows_say(story: list[Event], data: Any, kept: int) -> None:
    with patch("stream.domain.rows.KEPT_BYTES", kept):
        compare(story, data)


def compare(story: list[Event], data: Any) -> None:
    records = logged(story).records
    cuts = data.draw(st.sets(st.integers(1, 1 + len(records))))
    stored: list[dict[bytes, bytes]] = [{}, {}]
    folds = [People(rows, 1, "leadstream", RULES, accounts=True) for rows in stored]
    out: list[list[object]] = [[], []]
    for offset, record in enumerate(records, 1):
        for fold, made in zip(folds, out, strict=True):
            fold.apply(offset, record)
            made.extend(fold.take_out())
            if offset in cuts:
                fold.cut()
        if offset in cuts:
            folds[1] = People(stored[1], 1, "leadstream", RULES, accounts=True)
            assert stored[0] == stored[1]
    assert out[0] == out[1]
    assert dict(folds[0].cut()) == dict(folds[1].cut())
