"""What an operator lets go on: where, in which epoch, and what is left alone."""

from dataclasses import replace
from typing import Any

import pytest
from faust.types import TP
from msgspec import structs

from stream.runtime.adopting import OF_PEOPLE, held, troubles, turned
from stream.runtime.fatal import Misfit
from stream.runtime.misfits import (
    ADOPTABLE,
    CHANGELOG_CUT,
    CHANGELOG_LOST,
    DELETED,
    FOLD_CUT,
    FOLD_LOST,
    FOLD_UNDONE,
    OTHER_RECORD,
    RECREATED,
    REPARTITIONED,
)
from stream.runtime.resume import Found, Mark, mark_row, read_mark_row, resume

EVENTS = TP("events", 3)
MARK = Mark(changelog=40, partitions=8, last=99, print="abc", rules="r1", place=7)
OLDER = structs.replace(MARK, changelog=30)
EPOCH = 1 << 48


def found(**changed: Any) -> Found:
    usual: dict[str, Any] = {
        "committed": 100, "mark": MARK, "stored": (100, MARK), "state_at": None,
        "first": 0, "end": 500, "partitions": 8, "changelog": 40,
    }  # fmt: skip
    return Found(EVENTS, **(usual | changed))


@pytest.mark.parametrize(
    ("kafka", "kinds"),
    [
        pytest.param(found(), [], id="all fits"),
        pytest.param(found(end=50), [RECREATED], id="recreated"),
        pytest.param(found(first=130), [DELETED], id="deleted unread"),
        pytest.param(found(changelog=7), [CHANGELOG_LOST], id="changelog lost"),
        pytest.param(found(stored=None, changelog=4000), [CHANGELOG_LOST], id="changelog lost, and written since"),
        pytest.param(found(stored=(70, OLDER), changelog=4000), [CHANGELOG_LOST], id="its tail lost, and written since"),
        pytest.param(found(stored=(70, OLDER), changelog=4000, end=50), [CHANGELOG_LOST, RECREATED], id="... and recreated"),
        pytest.param(found(begin=7), [CHANGELOG_CUT], id="changelog cut"),
        pytest.param(found(changelog=-1, end=0), [CHANGELOG_LOST, RECREATED], id="everything recreated"),
        pytest.param(found(changelog=7, fold=True), [FOLD_LOST], id="people lost"),
        pytest.param(found(stored=(70, OLDER), changelog=4000, fold=True), [FOLD_LOST], id="people lost, and written since"),
        pytest.param(found(begin=7, fold=True), [FOLD_CUT], id="people cut"),
        pytest.param(found(partitions=9, changelog=0), [REPARTITIONED], id="repartitioned"),
    ],
)
def test_what_does_not_fit_is_named_the_changelog_apart(kafka: Found, kinds: list[str]) -> None:
    assert [met.kind for met in troubles(kafka)[0]] == kinds


@pytest.mark.parametrize(
    ("kafka", "kinds", "goes_on"),
    [
        pytest.param(found(end=50), {RECREATED}, (0, 1, 1), id="recreated: its beginning, in a new epoch"),
        pytest.param(found(), {OTHER_RECORD}, (0, 1, 1), id="other records: the same"),
        pytest.param(found(first=130), {DELETED}, (130, 0, 1), id="deleted unread: behind the hole, same epoch"),
        pytest.param(found(changelog=7, first=20), {CHANGELOG_LOST}, (20, 0, 1), id="rows lost: all that is there, same epoch"),
        pytest.param(found(changelog=-1, end=9), {CHANGELOG_LOST, RECREATED}, (0, 1, 1), id="both lost: a new epoch"),
        pytest.param(found(committed=None, mark=None, end=9), {RECREATED}, (0, 1, 1), id="the commit went with its topic"),
        pytest.param(found(mark=Mark(partitions=8, epoch=2, turn=5), end=9), {RECREATED}, (0, 3, 6), id="not for the first time"),
        pytest.param(found(state_at=4 * EPOCH + 7, end=5), {RECREATED}, (0, 5, 1), id="a cut knows the epoch"),
    ],
)
def test_a_source_goes_on(kafka: Found, kinds: set[str], goes_on: tuple[int, int, int]) -> None:
    position, mark = turned(kafka, kinds)
    assert (position, mark.epoch, mark.turn) == goes_on
    assert (mark.changelog, mark.begin, mark.partitions) == (kafka.changelog, kafka.begin, 8)
    said = kafka.mark or MARK
    assert (mark.rules, mark.place) == (said.rules, said.place), "an idle partition says nothing else for long"


@pytest.mark.parametrize(
    "kafka",
    [
        found(end=50), found(first=130), found(changelog=7), found(begin=7), found(changelog=-1, end=0),
        found(stored=None, changelog=4000), found(stored=(70, OLDER), changelog=4000),
    ],
)  # fmt: skip
def test_what_was_adopted_fits_also_if_the_commit_was_not_made(kafka: Found) -> None:
    kinds = {met.kind for met in troubles(kafka)[0]}
    assert kinds <= ADOPTABLE
    stored = turned(kafka, kinds)
    told = {name: getattr(kafka, name) for name in kafka.__slots__ if name not in {"tp", "stored"}}
    again = found(**(told | {"stored": stored}))
    assert troubles(again)[0] == []
    assert resume(again).position == kafka.first
    assert resume(again).epoch == stored[1].epoch


def test_of_two_marks_an_operators_turn_goes_before_all_positions() -> None:
    before, after = mark_row(900, MARK), mark_row(0, Mark(epoch=1, turn=1))
    assert after[1:9] > before[1:9]
    assert read_mark_row(after) == (0, Mark(epoch=1, turn=1))
    assert read_mark_row(before) == (900, MARK)


def test_a_table_that_is_a_cut_ahead_goes_on_at_its_cut_and_one_behind_at_the_commit() -> None:
    assert resume(found(state_at=140)).position == 140
    assert resume(found(state_at=70)).position == 100
    adopted = (0, Mark(partitions=8, epoch=1, turn=1))
    assert resume(found(state_at=140, stored=adopted)).position == 0
    assert resume(found(state_at=EPOCH + 3, stored=adopted)).position == 3
    assert resume(found(state_at=EPOCH + 3, stored=adopted)).epoch == 1


# -- people that are being made again


PEOPLE_LOST = found(changelog=7, fold=True, mark=structs.replace(MARK, place=77))


@pytest.mark.parametrize(
    ("kafka", "position"),
    [
        pytest.param(PEOPLE_LOST, 100, id="what was not read yet"),
        pytest.param(replace(PEOPLE_LOST, state_at=130), 130, id="a cut whose commit was not made is read"),
        pytest.param(replace(PEOPLE_LOST, first=150), 150, id="what is there of it"),
        pytest.param(replace(PEOPLE_LOST, end=50, first=9), 9, id="people recreated as well: all that is there"),
        pytest.param(replace(PEOPLE_LOST, committed=None, mark=None, stored=None, begin=8, first=9), 9, id="not known: all"),
    ],
)
def test_until_they_are_no_worker_reads_on_and_what_is_unread_stays_known(kafka: Found, position: int) -> None:
    kinds = {met.kind for met in troubles(kafka)[0]}
    at, mark = held(kafka, kinds)
    assert mark.place == (0 if kafka.mark is None else 77), "where the ruleset stands that people had"
    emptied = replace(kafka, state_at=None, changelog=99, end=999)
    stored = read_mark_row(mark_row(at, mark))
    for again in (
        replace(emptied, committed=at, mark=mark),
        replace(emptied, stored=stored),
        replace(emptied, committed=None, mark=None, stored=stored),
    ):
        with pytest.raises(Misfit, match=r"run it again") as refused:
            resume(again)
        assert refused.value.kind == FOLD_UNDONE
        assert {met.kind for met in troubles(again)[0]} == {FOLD_UNDONE}
        assert held(again, {FOLD_UNDONE})[0] == at == position
    assert FOLD_UNDONE in OF_PEOPLE - ADOPTABLE


@pytest.mark.parametrize("recreated", [False, True])
def test_then_it_goes_on_behind_what_was_written_also_if_the_commit_was_not_made(*, recreated: bool) -> None:
    kafka = replace(PEOPLE_LOST, end=50 if recreated else 500)
    at, mark = held(kafka, {met.kind for met in troubles(kafka)[0]})
    half = replace(kafka, committed=at, mark=mark, changelog=99, end=600)
    position, last = turned(half, set(), 60)
    assert mark_row(position, last)[1:9] > mark_row(at, mark)[1:9]
    for again in (replace(half, stored=(position, last)), replace(half, committed=position, mark=last, stored=(at, mark))):
        assert resume(again).position == 60
        assert resume(again).epoch == int(recreated)
