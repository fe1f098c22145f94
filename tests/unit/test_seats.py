"""An account's committee: roles and departments seen, who is missing, how sure it is."""

from typing import Any

import pytest

from stream.domain.freshness import counts_until, left_at
from stream.domain.log import Member
from stream.domain.ruleset import load
from stream.domain.seats import committee

ROLES = """
[committee]
wanted = ["user", "boss", "blocker"]
[committee.roles.boss]
titles = ["ceo"]
[committee.roles.blocker]
titles = ["legal"]
[committee.roles.user]
titles = ["engineer"]
[committee.departments.it]
titles = ["it"]
[committee.departments.law]
titles = ["legal"]
"""
RULES = load(ROLES.encode())
FADING = load((ROLES + '[freshness]\nhalf_life = "10d"\nmin_confidence = 0.25').encode())
DAY = 86_400_000


def lead(id_: str, role: str = "", department: str = "", **more: Any) -> Member:
    return Member(id_, 1, lead=True, role=role, department=department, **more)


def test_roles_and_departments_stand_in_the_order_of_the_file_and_leads_sorted() -> None:
    shown = committee([lead("l3", "user", "it"), lead("l2", "user"), lead("l1", "boss", "law"), lead("l0")], RULES, 0)
    assert list(shown["committee"].items()) == [("boss", ["l1"]), ("user", ["l2", "l3"])]
    assert list(shown["departments"].items()) == [("it", ["l3"]), ("law", ["l1"])]
    assert shown["missing"] == ["blocker"]
    assert [seat["lead"] for seat in shown["seats"]] == ["l1", "l2", "l3"]
    assert shown["seats"][1] == {"lead": "l2", "role": "user", "department": None, "confidence": 1.0}


def test_nobody_is_seen_and_all_are_missing() -> None:
    assert committee([], RULES, 0) == {"committee": {}, "missing": ["user", "boss", "blocker"], "departments": {}, "seats": []}
    assert committee([], load(b""), 0)["missing"] == []


def test_a_role_of_an_earlier_ruleset_stands_behind() -> None:
    assert list(committee([lead("l1", "champion"), lead("l2", "user")], RULES, 0)["committee"]) == ["user", "champion"]


def test_a_post_loses_confidence_and_then_its_seat() -> None:
    """Role and department each in their own time."""
    until = counts_until(FADING.freshness, 0)
    old = lead("l1", "boss", "it", role_until=until, department_until=until + DAY)
    assert committee([old], FADING, 10 * DAY)["seats"][0]["confidence"] == pytest.approx(0.5)
    without = committee([old], FADING, until)
    assert without["committee"] == {}
    assert without["missing"] == ["user", "boss", "blocker"]
    assert without["departments"] == {"it": ["l1"]}
    assert without["seats"][0]["role"] is None
    assert without["seats"][0]["confidence"] == pytest.approx(0.25 * 2**0.1, rel=1e-6)
    assert committee([old], FADING, until + DAY)["seats"] == []


def test_what_counts_for_ever_is_sure() -> None:
    assert left_at(None, 5, 10**15) == 1.0
    assert committee([lead("l1", "boss")], FADING, 10**15)["seats"][0]["confidence"] == 1.0
