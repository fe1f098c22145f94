"""People change jobs: what an account sees of it, from events through people to accounts."""

from typing import Any

import orjson
import pytest

from stream.domain import leads, membership
from stream.domain.accounts.document import account
from stream.domain.accounts.fold import Accounts
from stream.domain.event import Company, Event, Group, Link
from stream.domain.log import Erasing, GoOn, Record, Tick, encode
from stream.domain.people import People
from stream.domain.person import BARE
from tests.told import BEHAVIOURS, DAY, LADDER, START, Log, happened, rules

TEXT = (
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
ACCOUNT_STAGE = '[[accounts.stages]]\nname = "several"\nenter = { people = 2 }\nexit = { people = 1.5 }\n'
OLD, NEW = "account::old.example", "account::new.example"
OFFICE = Company("Office", "office.example", "business", 1.0, "ranges", "192.0.2.0/24", "")


class Companies(Log):
    """A people log, and the one partition of accounts that hears of it."""

    def __init__(self, more: str = "") -> None:
        super().__init__(rules(TEXT + more))
        self.people = People({}, 1, "leadstream", self.rules, accounts=True)
        self.accounts, self.heard = Accounts({}, "leadstream", self.rules), 0

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


# -- by the people's clock


def test_an_account_is_left_at_the_instant_at_which_what_names_it_is_too_old() -> None:
    """The clock is enough; the office takes over where it was seen since."""
    world = Companies()
    world.add(tells(0, mail="a@old.example"), tells(60, company=OFFICE))
    world.tick(START + 100 * DAY)
    assert len(world.of(OLD, 100)["people"]) == 1
    world.tick(START + 101 * DAY)
    assert world.of(OLD, 101)["people"] == []
    assert len(world.of("account::office.example", 101)["people"]) == 1
    assert world.person("user::1").aged == START + 100 * DAY + 1
    assert world.person("user::1").as_of == START + 60 * DAY, "nothing happened to the lead"
    world.tick(START + 161 * DAY)
    assert world.of("account::office.example", 161)["people"] == []
    assert world.person("user::1").account == ""


def test_a_lead_that_is_due_twice_waits_for_the_next_record_so_that_each_change_of_a_member_counts() -> None:
    """One version of a member is one change; accounts must not be told the clock meanwhile."""
    world = Companies()
    home = Company("Old", "old.example", "business", 1.0, "ranges", "198.51.100.0/24", "")
    world.add(tells(0, group=Group("g")), tells(1, mail="a@old.example"), tells(50, company=home))
    world.tick(START + 120 * DAY)
    assert world.people.waits
    assert world.people.membership is not None
    assert world.people.membership.clock(1) is None
    world.append(GoOn())
    assert not world.people.waits
    assert world.people.membership.clock(1) == START + 120 * DAY
    assert [proof["source"] for proof in world.of(OLD, 120)["evidence"]] == ["address"]
    assert world.of("account:group:g", 120)["people"] == []


def test_of_those_a_tick_moves_part_by_part_nobody_is_kept_for_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leads, "DUE", 1)
    world = Companies()
    for user in ("user::1", "user::2"):
        world.add(*(happened("Asked", user, START + n) for n in range(3)))
    tick, offset = encode(Tick(0, START + 365 * DAY)), len(world.records) + 1
    assert not world.people.apply_part(offset, tick)
    assert not world.people.rows.touched


@pytest.mark.parametrize("restarted", [False, True])
def test_who_is_too_old_leaves_though_the_clock_goes_back_before_its_turn(
    monkeypatch: pytest.MonkeyPatch, *, restarted: bool
) -> None:
    monkeypatch.setattr(membership, "AGED", 1)
    world = Companies()
    stored = world.people.rows.stored
    for number in (1, 2, 3):
        link = Link(f"email::{number}@old.example", "business")
        world.add(happened("Met", f"user::{number}", START + number, links=(link,)))
    world.tick(START + 101 * DAY)
    assert (len(world.of(OLD, 101)["people"]), world.people.waits) == (2, True)
    if restarted:
        world.people.cut()
        world.people = People(stored, 1, "leadstream", world.rules, accounts=True)
    world.tick(START + 50 * DAY)
    assert (len(world.of(OLD, 101)["people"]), world.people.waits) == (1, True)
    world.append(GoOn())
    assert (world.of(OLD, 101)["people"], world.people.waits) == ([], False)
    assert world.people.clock == START + 50 * DAY


def test_who_left_does_not_come_back_with_what_was_done_before_and_is_told_late() -> None:
    world = Companies()
    world.add(tells(0, mail="a@old.example"))
    world.tick(START + 101 * DAY)
    world.add(tells(60))
    assert world.person("user::1").as_of == START + 60 * DAY
    assert world.of(OLD, 101)["people"] == []
    world.add(tells(61, mail="a@old.example"))
    assert len(world.of(OLD, 101)["people"]) == 1


@pytest.mark.parametrize(("ids", "left"), [(1, 1), (BARE, 2)])
def test_of_leads_with_many_ids_fewer_leave_at_once(monkeypatch: pytest.MonkeyPatch, ids: int, left: int) -> None:
    monkeypatch.setattr(membership, "AGED", 2 * BARE)
    world = Companies()
    for number in (1, 2, 3):
        mail, device = Link(f"email::{number}@old.example", "business"), Link(f"weibo::{number}{'x' * ids}")
        world.add(happened("Met", f"user::{number}", START + number, links=(mail, device)))
    world.tick(START + 101 * DAY)
    assert (len(world.of(OLD, 101)["people"]), world.people.waits) == (left, True)


def test_under_a_new_ruleset_nothing_is_too_old_before_it_came() -> None:
    world = Companies()
    world.add(tells(0, mail="a@old.example"))
    world.tick(START + 50 * DAY)
    world.deploy(rules(TEXT.replace('"100d"', '"10d"')))
    world.tick(START + 51 * DAY)
    assert world.of(OLD, 51)["people"] == []
    assert world.person("user::1").aged == START + 50 * DAY
    world.deploy(rules(BEHAVIOURS + LADDER))
    world.add(tells(52, mail="a@old.example"))
    world.tick(START + 999 * DAY)
    assert len(world.of(OLD, 999)["people"]) == 1


def test_an_erased_or_merged_lead_grows_no_older() -> None:
    world = Companies()
    world.add(tells(0, mail="a@old.example"), happened("Met", "crm::9", START + DAY, company=OFFICE))
    world.add(happened("Met", "user::1", START + 2 * DAY, links=["crm::9"]))
    world.tick(START + 3 * DAY)
    world.append(Erasing("w", "user::1", b"salt"))
    world.tick(START + 999 * DAY)
    assert not world.people.waits
    assert world.of(OLD, 999)["people"] == world.of("account::office.example", 999)["people"] == []


def test_who_looks_ahead_sees_who_will_have_left_by_then_and_stores_nothing() -> None:
    world = Companies(ACCOUNT_STAGE)
    home = Company("Old", "old.example", "business", 1.0, "ranges", "198.51.100.0/24", "")
    world.add(tells(0, mail="a@old.example"), tells(60, company=home), happened("Met", "user::2", START + 70 * DAY, company=home))
    world.tick(START + 71 * DAY)

    def ahead(day: int) -> tuple[int, list[str], str]:
        document = account(world.accounts, OLD, START + 71 * DAY, START + day * DAY)
        assert document is not None
        return len(document["people"]), [proof["source"] for proof in document["evidence"]], document["stage"]

    days = (99, 101, 161, 171)
    seen = [ahead(day) for day in days]
    assert seen == [
        (2, ["email", "address"], "several"), (2, ["address"], "several"), (1, ["address"], "visitor"), (0, [], "visitor"),
    ]  # fmt: skip
    for day, looked_ahead in zip(days, seen, strict=True):
        world.tick(START + day * DAY)
        assert looked_ahead == ahead(day), "so it came"


def test_what_a_new_ruleset_finds_too_old_already_is_left_as_of_the_leads_own_clock() -> None:
    stage = '[[accounts.stages]]\nname = "seen"\nenter = { people = 1 }\nexit = { people = 0.5 }\n'
    world = Companies(stage)
    world.add(tells(0, mail="a@old.example"), tells(60))
    world.tick(START + 61 * DAY)
    world.deploy(rules((TEXT + stage).replace('"100d"', '"10d"')))
    world.tick(START + 62 * DAY)
    assert world.of(OLD, 62)["people"] == []
    up, down = [orjson.loads(out.value or b"") for out in world.accounts.out]
    assert (up["data"]["stage"]["to"]["name"], down["data"]["stage"]["to"]["name"]) == ("seen", "visitor")
    assert down["recordedtime"] == down["time"] == "2026-03-06T00:00:00.000Z"


def test_a_lead_whose_stage_fell_in_the_same_moment_leaves_all_the_same() -> None:
    """Its own clock went on to when the stage fell, behind the instant at which its account was to be left."""
    world = Companies()
    world.add(happened("Asked", "user::1", START, links=(Link("email::a@old.example", "business"),)))
    world.add(happened("Asked", "user::1", START + 98 * DAY))
    world.tick(START + 99 * DAY)
    world.tick(START + 120 * DAY)
    lead = world.person("user::1")
    assert START + 100 * DAY + 1 < lead.as_of < START + 120 * DAY
    assert lead.account == ""
    assert world.of(OLD, 120)["people"] == []
