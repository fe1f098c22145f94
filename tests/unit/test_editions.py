"""From where each ruleset holds, and what is left of a ladder that was replaced."""

from math import inf

import pytest

from stream.domain import editions
from stream.domain.editions import KEPT, MAX_TEXT, Edition, Editions, Gone, left_behind, loaded, standing_in
from stream.domain.log import Unreadable
from stream.domain.ruleset.model import Stage
from stream.faust_conf import MAX_BATCH
from tests.told import BEHAVIOURS, rules

FIRST = Edition(0, 0, b"first")
SECOND = Edition(7, 100, b"second")
THIRD = Edition(9, 200, b"third")
ALL = Editions([FIRST, SECOND, THIRD])


@pytest.mark.parametrize(
    ("position", "holds"), [(0, FIRST), (99, FIRST), (100, SECOND), (199, SECOND), (200, THIRD), (999, THIRD)]
)
def test_a_position_meets_the_newest_edition_that_came_at_or_before_it(position: int, holds: Edition) -> None:
    assert ALL.at(position) == holds


def test_a_position_before_all_that_are_known_meets_the_oldest() -> None:
    assert Editions([SECOND, THIRD]).at(5) == SECOND


@pytest.mark.parametrize(("offset", "holds"), [(6, FIRST), (7, SECOND), (8, SECOND), (9, THIRD)])
def test_people_that_are_read_up_to_an_offset_are_under_what_came_before_it(offset: int, holds: Edition) -> None:
    assert ALL.read_up_to(offset) == holds
    assert Editions([THIRD]).read_up_to(offset) == THIRD


@pytest.mark.parametrize(("place", "came"), [(0, FIRST), (7, SECOND), (8, THIRD), (9, THIRD), (10, THIRD)])
def test_a_place_that_is_forgotten_is_the_oldest_behind_it(place: int, came: Edition) -> None:
    assert ALL.of(place) == came


def test_a_newer_edition_follows_and_the_oldest_is_forgotten() -> None:
    known = ALL
    for place in (20, 21):
        known = known.followed_by(Edition(place, 10 * place, b"%d" % place))

    assert [edition.place for edition in known.held] == [7, 9, 20, 21]
    assert len(known.held) == KEPT


@pytest.mark.parametrize("place", [7, 9])
def test_a_repeat_or_one_that_came_before_changes_nothing(place: int) -> None:
    assert ALL.followed_by(Edition(place, 300, b"late")) is ALL


def test_the_same_text_again_holds_from_where_it_held() -> None:
    assert ALL.followed_by(Edition(12, 300, b"third")).held == [FIRST, SECOND, Edition(12, 200, b"third")]


def test_a_row_is_ordered_by_the_position_of_its_newest_edition_and_read_back() -> None:
    row = editions.row(ALL)

    assert int.from_bytes(row[1:9], "big") == 200
    assert editions.read(row) == ALL


@pytest.mark.parametrize(
    ("row", "why"), [(b"", "format none"), (b"\x07" + bytes(20), "format 07"), (b"\x01" + bytes(8) + b"text", "cannot be read")]
)
def test_a_row_that_cannot_be_read_says_why(row: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        editions.read(row)


def test_a_ruleset_of_a_newer_release_is_told_by_its_first_mistake() -> None:
    with pytest.raises(Unreadable, match="ruleset:1: weather: unknown key"):
        loaded(b"[weather]\nrain = 1\n")


def test_the_row_of_as_many_texts_as_are_kept_each_as_long_as_may_be_fits_into_a_batch() -> None:
    longest = Editions([Edition(place, 1 << 50, b"x" * MAX_TEXT) for place in range(KEPT)])

    assert len(editions.row(longest)) < MAX_BATCH


# -- stages that are gone

OLD = rules(
    BEHAVIOURS
    + """
[[stages]]
name = "lead"
enter = { identified = true }
[[stages]]
name = "mql"
enter = { interest = 60 }
[[stages]]
name = "sql"
enter = { interest = 90 }
[[stages]]
name = "customer"
owner = "crm"
"""
)
NEW = rules(
    BEHAVIOURS
    + """
[[stages]]
name = "lead"
enter = { identified = true }
[[stages]]
name = "hot"
enter = { interest = 50 }
"""
)


def test_a_stage_that_is_gone_is_remembered_with_what_was_below_it() -> None:
    gone = left_behind(OLD, NEW, {"older": Gone("engine", ["lead"]), "hot": Gone("crm", [])})

    assert gone == {
        "older": Gone("engine", ["lead"]),
        "mql": Gone("engine", ["lead"]),
        "sql": Gone("engine", ["mql", "lead"]),
        "customer": Gone("crm", ["sql", "mql", "lead"]),
    }
    assert left_behind(NEW, OLD, gone) == {"older": Gone("engine", ["lead"]), "hot": Gone("engine", ["lead"])}


def test_a_stage_that_is_gone_stands_above_the_highest_left_of_those_below_it() -> None:
    gone = {"sql": Gone("engine", ["mql", "lead"]), "customer": Gone("crm", ["sql"])}

    assert standing_in(NEW.stages, gone) == {
        "sql": Stage("sql", 2, exit={"total": inf}),
        "customer": Stage("customer", 1, "crm"),
    }
