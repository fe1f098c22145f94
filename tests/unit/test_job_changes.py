"""People change jobs: what an account sees of it, from events through people to accounts."""

from typing import Any

from stream.domain.accounts.document import account
from stream.domain.accounts.fold import Accounts
from stream.domain.event import Company, Event, Link
from stream.domain.log import Record
from stream.domain.people import People
from tests.told import BEHAVIOURS, DAY, LADDER, START, Log, happened, rules

RULES = rules(
    BEHAVIOURS
    + LADDER
    + """
[freshness]
half_life = "100d"
min_confidence = 0.5
[committee]
wanted = ["boss", "user"]
[committee.roles.boss]
titles = ["ceo", "总经理"]
[committee.roles.user]
titles = ["engineer"]
"""
)
OLD, NEW = "account::old.example", "account::new.example"
OFFICE = Company("Office", "office.example", "business", 1.0, "ranges", "192.0.2.0/24", "")


class Companies(Log):
    """A people log, and the one partition of accounts that hears of it."""

    def __init__(self) -> None:
        super().__init__(RULES)
        self.people = People({}, 1, "leadstream", RULES, accounts=True)
        self.accounts, self.heard = Accounts({}, "leadstream", RULES), 0

    def append(self, record: Record) -> None:
        super().append(record)
        assert self.people.membership is not None
        for out in self.people.membership.out:
            self.accounts.apply(self.heard, out.value or b"")
            self.heard += 1
        self.people.membership.out.clear()

    def of(self, id_: str, day: int) -> dict[str, Any]:
        """Return an account's document as of a day."""
        document = account(self.accounts, id_, START + day * DAY)
        assert document is not None
        return document


def tells(day: int, *, title: str | None = None, mail: str | None = None, **more: Any) -> Event:
    links = (Link(f"email::{mail}", "business"),) if mail else ()
    traits = {"title": title} if title else {}
    return happened("Met", "user::1", START + day * DAY, traits=traits, links=links, **more)


def test_a_new_title_is_a_new_role_at_once() -> None:
    world = Companies()
    world.add(tells(0, title="Engineer", mail="a@old.example"))
    assert list(world.of(OLD, 0)["committee"]) == ["user"]
    world.add(tells(1, title="总经理"))
    assert list(world.of(OLD, 1)["committee"]) == ["boss"]
    assert world.of(OLD, 1)["missing"] == ["user"]


def test_a_new_business_address_takes_the_lead_to_the_new_company_and_the_old_one_misses_the_role() -> None:
    world = Companies()
    world.add(tells(0, title="CEO", mail="a@old.example"), tells(5, mail="a@new.example"))
    assert (world.of(OLD, 5)["people"], world.of(OLD, 5)["missing"]) == ([], ["boss", "user"])
    (lead,) = world.of(NEW, 5)["people"]
    assert world.of(NEW, 5)["committee"] == {"boss": [lead]}
    assert world.document("user::1", START + 5 * DAY)["account"]["id"] == NEW


def test_a_title_told_long_ago_is_no_role_until_it_is_told_again() -> None:
    world = Companies()
    world.add(tells(0, title="CEO", mail="a@old.example"), tells(60, mail="a@old.example"))
    assert world.of(OLD, 60)["seats"][0]["confidence"] == 2**-0.6
    assert list(world.of(OLD, 100)["committee"]) == ["boss"]
    assert world.of(OLD, 101)["missing"] == ["boss", "user"]
    world.add(tells(102, title="CEO"))
    assert list(world.of(OLD, 102)["committee"]) == ["boss"]


def test_an_address_used_long_ago_names_the_account_no_more_then_the_office_does() -> None:
    """When the lead is next heard of; an address that is used again counts again."""
    world = Companies()
    world.add(tells(0, mail="a@old.example"), tells(60, company=OFFICE))
    assert len(world.of(OLD, 60)["people"]) == 1
    world.add(tells(101))
    assert world.of(OLD, 101)["people"] == []
    assert len(world.of("account::office.example", 101)["people"]) == 1
    world.add(tells(110, mail="a@old.example"))
    assert len(world.of(OLD, 110)["people"]) == 1
