"""Reach of target-account lists: who is on which list, who of them was seen, and who else was."""

from pathlib import Path

import pytest

from stream.domain.event import Company
from stream.domain.reach import Met, Reach, lists_of, reach
from stream.lookups.ranges import read_companies

RANGES = """network,name,domain,kind,target
203.0.113.0/28,Acme,ACME.example,business,tier-1; oil
203.0.113.16/28,Acme Holding,acme.example,business,tier-2
203.0.113.32/28,Bolt,bolt.example,,tier-1
203.0.113.48/28,Nameless,,business,oil
203.0.113.64/28,Cog,cog.example,business,no
203.0.113.80/28,Dent,dent.example,business,
"""
LISTS = {
    "oil": {"account::acme.example": "Acme", "account:name:nameless": "Nameless"},
    "tier-1": {"account::acme.example": "Acme", "account::bolt.example": "Bolt"},
    "tier-2": {"account::acme.example": "Acme Holding"},
}


def met(id_: str, *, domain: str | None = None, order: int = 0, score: float = 0.0, people: int = 0, anonymous: int = 1) -> Met:
    return Met(id_, id_.rpartition(":")[2], domain, f"stage {order}", order, score, people, anonymous)


def acme(**more: int) -> Met:
    return met("account::acme.example", domain="acme.example", **more)


def test_a_column_of_the_ranges_file_names_the_lists(tmp_path: Path) -> None:
    """A company may be on several, and stand in several lines; "no" and nothing are no lists."""
    file = tmp_path / "ranges.csv"
    file.write_text(RANGES, "utf-8")
    assert lists_of(read_companies(file), "target") == LISTS
    assert lists_of(read_companies(file), "industry") == {}


@pytest.mark.parametrize("cell", ["", " ", "no", "NO", "false", "0", "-", ";", " ; no"])
def test_these_cells_name_no_list(cell: str) -> None:
    assert lists_of([Company("A", "a.example", "business", 1.0, "ranges", "", "", {"target": cell})], "target") == {}


def test_the_reach_of_each_list() -> None:
    """Met by people, met by anonymous visitors alone, not met."""
    by_list, off = reach(LISTS, [acme(order=2, people=3), met("account:name:nameless", order=1), met("account::cog.example")])
    oil = by_list["oil"]
    assert [one.name for one in oil.met] == ["acme.example", "nameless"]
    assert (oil.anonymous, oil.unmet, oil.stages) == (1, [], {"stage 2": 1, "stage 1": 1})
    assert (len(by_list["tier-1"].met), by_list["tier-1"].unmet) == (1, ["Bolt"])
    assert (len(by_list["tier-2"].met), by_list["tier-2"].unmet) == (1, [])
    assert [one.id for one in off.met] == ["account::cog.example"]
    assert off.unmet == []


def test_nobody_was_met() -> None:
    by_list, off = reach(LISTS, [])
    assert by_list["tier-1"] == Reach([], ["Acme", "Bolt"])
    assert off == Reach()


def test_an_account_whose_members_have_left_is_not_seen() -> None:
    by_list, off = reach(LISTS, [acme(anonymous=0), met("account::cog.example", anonymous=0)])
    assert by_list["tier-2"].met == off.met == []


def test_an_account_that_a_group_call_names_is_the_company_of_its_domain() -> None:
    """It counts once, with everybody, where the better of the two stands."""
    group = met("account:group:7", domain="Acme.example", order=3, score=5.0, people=2, anonymous=0)
    for accounts in ([acme(order=1, people=1), group], [group, acme(order=1, people=1)]):
        by_list, off = reach(LISTS, accounts)
        (one,) = by_list["tier-2"].met
        assert (one.id, one.order, one.score, one.people, one.anonymous) == ("account:group:7", 3, 5.0, 3, 1)
        assert off.met == []


def test_the_best_come_first() -> None:
    """By stage, then by score, then by id."""
    some = [met("account::b"), met("account::a"), met("account::c", score=1.0), met("account::d", order=1)]
    assert [one.name for one in reach({}, some)[1].met] == ["d", "c", "a", "b"]
