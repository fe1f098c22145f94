"""What people tell accounts: one record an account for each of theirs, leavings, and everything anew after a ruleset."""

from typing import Any

import pytest

from stream.domain import membership
from stream.domain.accounts.member import account_of, alone_id, visitor_id
from stream.domain.event import Company, Group, Link
from stream.domain.ids import lead_id
from stream.domain.log import Deployment, Erasing, Linking, Members, NewRuleset, Settled, Settling, TellAgain, Tick, decode
from stream.domain.membership import WALKED
from stream.domain.people import People
from stream.domain.person import BARE
from stream.domain.state import State
from tests.told import BEHAVIOURS, LADDER, LEAD_1, LEAD_2, START, Log, happened, rules

ACME = Company("Acme", "acme.example", "business", 1.0, "ranges", "192.0.2.0/24", "")
NAMELESS = Company("Globex AG", "", "business", 1.0, "ranges", "198.51.100.0/24", "")
A, G, N = "account::acme.example", "account:group:g", "account:name:globex ag"


class Told(Log):
    """A people log that tells accounts."""

    def __init__(self, text: str = BEHAVIOURS + LADDER) -> None:
        super().__init__(rules(text))
        self.people = People({}, 1, "leadstream", self.rules, accounts=True)

    def take(self) -> list[Members | NewRuleset]:
        """Return what was told since."""
        assert self.people.membership is not None
        out, self.people.membership.out = self.people.membership.out, []
        told = [decode(each.value or b"") for each in out]
        assert all(each.topic == "members" for each in out)
        return [each for each in told if isinstance(each, Members | NewRuleset)]

    def changes(self) -> dict[str, list[tuple[str, str]]]:
        """Return who came and who went, by account."""
        found: dict[str, list[tuple[str, str]]] = {}
        for told in self.take():
            assert isinstance(told, Members)
            assert told.account not in found, "one record an account"
            found[told.account] = [(m.id, ("for ever" if m.final else "left") if m.left else "here") for m in told.changed]
        return found


def asked(node: str = "user::1", t: int = START, **more: Any) -> Any:
    return happened("Asked", node, t, **more)


def test_a_lead_without_a_company_tells_nothing() -> None:
    log = Told()
    log.add(asked())

    assert log.changes() == {}


def test_a_lead_is_told_to_its_account_and_leaves_it_for_a_surer_one() -> None:
    log = Told()
    log.add(asked(company=ACME))
    assert log.changes() == {A: [(LEAD_1, "here")]}

    log.add(asked(company=ACME, group=Group("g")))
    assert log.changes() == {A: [(LEAD_1, "left")], G: [(LEAD_1, "here")]}
    assert log.person("user::1").account == G


def test_the_surest_of_what_names_an_account_says_what_it_is() -> None:
    log = Told()
    block = Company("By Address", "acme.example", "business", 0.7, "isp", "192.0.2.0/24", "")
    log.add(asked(company=block, links=[Link("email::x@acme.example", "business")]))
    told = [m for each in log.take() if isinstance(each, Members) for m in each.changed if m.lead and not m.left][-1]

    assert [source for source, _ in told.evidence] == ["email", "address"]
    assert told.told is not None
    assert told.told[2:] == ("business", 1.0)


def test_a_lead_brings_what_its_document_says_with_its_role() -> None:
    committee = '[committee.roles.boss]\ntitles = ["ceo"]\n[idle]\nafter = "9d"\npoints = -3\n[freshness]\nhalf_life = "900d"\n'
    log = Told(committee + BEHAVIOURS + LADDER)
    log.add(asked(company=ACME, traits={"title": "CEO"}))
    told = log.take()[0]

    assert isinstance(told, Members)
    member = told.changed[0]
    assert (member.role, member.idle_ms, member.idle_points, member.told) == (
        "boss", 9 * 86_400_000, -3.0, ("Acme", "acme.example", "business", 1.0),
    )  # fmt: skip
    assert START < member.role_until < 1 << 62
    assert (sum(member.interest.values()), member.evidence) == (80.0, [("address", "192.0.2.0/24")])


def test_two_leads_of_one_account_become_one_in_one_record() -> None:
    log = Told()
    log.add(asked(company=ACME), asked("crm::2", company=ACME))
    log.take()
    log.add(asked(company=ACME, links=["crm::2"]))

    assert log.changes() == {A: [(LEAD_1, "here"), (lead_id("crm::2"), "left")]}


def test_a_device_that_is_heard_of_leaves_its_partitions_count_for_ever() -> None:
    log = Told()
    log.add(asked("anon::a", company=ACME), asked(company=NAMELESS, links=["anon::a"]))
    changes = log.take()

    first, second = (told for told in changes if isinstance(told, Members) and any(m.final for m in told.changed)), changes[-1]
    assert [(told.account, [m.id for m in told.changed if m.final]) for told in first] == [(A, [visitor_id("anon::a")])]
    assert isinstance(second, Members)


def test_one_who_is_awake_and_nobodys_is_counted_alone_until_somebody_has_it() -> None:
    log = Told()
    log.add(happened("page", "anon::a", START, company=ACME, links=["anon::b"]))
    assert log.changes() == {A: [(visitor_id("anon::a"), "for ever"), (alone_id("anon::a"), "here")]}

    log.add(happened("page", "anon::a", START, company=NAMELESS))
    assert log.changes() == {
        N: [(visitor_id("anon::a"), "for ever"), (alone_id("anon::a"), "here")],
        A: [(alone_id("anon::a"), "left")],
    }
    log.add(happened("page", "anon::a", START, company=NAMELESS))
    assert log.changes() == {N: [(alone_id("anon::a"), "here")]}

    log.add(asked(links=["anon::a"]))
    assert log.changes() == {N: [(LEAD_1, "here"), (alone_id("anon::a"), "left")]}


def test_a_shared_device_counts_with_what_it_does_from_then_on() -> None:
    log = Told()
    log.add(asked(links=["anon::a"]), asked("anon::a", company=ACME), asked("user::2", links=["anon::a"]))
    log.take()
    log.add(happened("page", "anon::a", START, company=ACME))
    told = [each for each in log.take() if isinstance(each, Members)]
    members = {m.id: m for each in told for m in each.changed}

    assert sum(members[alone_id("anon::a")].interest.values()) == 10.0
    log.add(asked(company=ACME))
    assert alone_id("anon::a") not in {m.id for each in log.take() if isinstance(each, Members) for m in each.changed}


def test_what_is_taken_off_a_shared_device_to_nothing_is_nothing() -> None:
    log = Told()
    log.add(asked(links=["anon::a"]), asked("anon::a", company=ACME), asked("user::2", links=["anon::a"]))
    log.take()
    log.add(happened("Nothing", "anon::a", START, company=ACME))

    told = [m for each in log.take() if isinstance(each, Members) for m in each.changed if m.id == alone_id("anon::a")]
    assert [m.interest for m in told] == [{}]


def test_an_event_of_a_lead_id_that_nobody_has_counts_nowhere() -> None:
    log = Told()
    log.add(asked(f"lead::{LEAD_2}", company=ACME))

    assert log.changes() == {}


def test_who_is_erased_leaves_and_why_is_told() -> None:
    log = Told()
    log.add(asked(company=ACME, links=["anon::a"]), happened("page", "anon::x", START, company=ACME, links=["anon::y"]))
    log.tick(START)
    log.take()
    log.append(Erasing("w", "user::1", b"salt"))
    told = log.take()
    assert [(each.account, each.code, [(m.id, m.left) for m in each.changed]) for each in told if isinstance(each, Members)] == [
        (A, "erase", [(LEAD_1, True)])
    ]
    log.append(Erasing("v", "anon::x", b"salt"))
    assert log.changes() == {A: [(alone_id("anon::x"), "left")]}


def test_a_ruleset_is_passed_on_and_all_leads_are_told_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership, "WALK", 2 * BARE)
    log = Told()
    log.add(*[asked(f"user::{n}", company=ACME) for n in range(5)], asked("user::none"))
    log.add(asked("crm::9"), asked("user::0", company=ACME, links=["crm::9"]))
    log.tick(START)
    assert log.people.log.told != WALKED
    for _ in range(3):
        log.tick(START)
    assert log.people.log.told == WALKED
    log.take()

    text = (BEHAVIOURS + LADDER + '[fit.known]\nmatch = { "company.known" = true }\npoints = 7\n').encode()
    log.append(Deployment(text))
    log.add(asked("user::new", company=ACME))
    log.take()
    heard = []
    for _ in range(5):
        log.tick(START)
        heard.append(log.take())
    assert isinstance(heard[0][0], NewRuleset)
    told = [m for each in heard for one in each if isinstance(one, Members) for m in one.changed]
    assert sorted(m.id for m in told) == sorted([*(lead_id(f"user::{n}") for n in range(5)), lead_id("user::new")])
    assert {m.fit for m in told} == {7.0}
    assert {one.code for each in heard for one in each if isinstance(one, Members)} == {"ruleset_change"}


@pytest.mark.parametrize("word", [Deployment((BEHAVIOURS + LADDER).encode(), again=True), TellAgain()])
def test_all_leads_are_told_anew_also_who_just_was(word: Deployment | TellAgain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership, "WALK", 2 * BARE)
    log = Told()
    log.add(*[asked(f"user::{n}", company=ACME) for n in range(5)])
    log.tick(START)
    log.take()
    log.append(word)
    heard = []
    for _ in range(4):
        log.tick(START)
        heard += log.take()
    told = [m.id for one in heard if isinstance(one, Members) for m in one.changed]
    assert sorted(told) == sorted(lead_id(f"user::{n}") for n in range(5))


def test_of_leads_with_many_ids_fewer_are_told_anew_at_a_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership, "WALK", 2 * BARE)
    log = Told()
    log.add(*[asked(f"user::{n}", company=ACME, links=[f"weibo::{n}{'x' * BARE}"]) for n in range(3)])
    log.take()
    heard = []
    while log.people.log.told != WALKED:
        log.tick(START)
        heard.append(sum(len(one.changed) for one in log.take() if isinstance(one, Members)))
    assert [count for count in heard if count] == [1, 1, 1]


def test_while_sums_come_back_after_a_loss_accounts_hear_only_who_is_counted_elsewhere() -> None:
    log = Told()
    log.append(Settling("run"))
    log.add(asked(company=ACME), happened("page", "anon::a", START, company=ACME, links=["anon::b"]))
    log.tick(START)
    assert log.changes() == {A: [(visitor_id("anon::a"), "for ever")]}

    log.append(Settled("run", 0))
    log.tick(START)
    assert log.changes() == {A: [(LEAD_1, "here")]}


def test_a_word_that_waited_for_the_sums_and_all_that_came_back_are_told_one_after_the_other() -> None:
    log = Told()
    log.append(Settling("run"))
    log.add(asked(company=ACME), asked("email::a@b.example", company=ACME))
    log.append(Linking("w", "user::1", "email::a@b.example"))
    log.append(Settled("run", 0))
    log.take()
    log.tick(START)
    assert (LEAD_1, "here") in log.changes()[A]
    log.tick(START)
    assert log.changes() == {A: [(LEAD_1, "here")]}
    assert log.people.log.told == membership.WALKED


def test_the_clock_of_accounts_is_what_all_partitions_have_handed_on_to_them() -> None:
    people = People({}, 2, "leadstream", rules(), accounts=True)
    told = people.membership
    assert told is not None
    told.tick(Tick(0, 9, 5))
    assert told.clock(2) is None
    told.tick(Tick(1, 7))
    assert told.clock(2) == 5


def test_a_visitor_counts_for_its_group_else_for_its_address() -> None:
    log = Told()
    log.add(
        happened(
            "page", "anon::a", START, company=NAMELESS, group=Group("g", {"name": "Holding", "domain": 7}), links=["anon::b"]
        )
    )
    told = [m for each in log.take() if isinstance(each, Members) for m in each.changed if not m.left]

    assert (told[0].told, told[0].evidence) == (("Holding", None, "business", 1.0), [("group", "g")])
    assert account_of(State()) == ""
    assert account_of(State(account=NAMELESS)) == N


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"company": ACME}, id="of its address"),
        pytest.param({"group": Group("g", {"name": "Acme", "domain": "acme.example"})}, id="of its group"),
    ],
)
def test_a_visitor_brings_the_domain(more: dict[str, Any]) -> None:
    log = Told()
    log.add(happened("page", "anon::a", START, links=["anon::b"], **more))
    told = [m for each in log.take() if isinstance(each, Members) for m in each.changed if not m.left]

    assert [m.told for m in told] == [("Acme", "acme.example", "business", 1.0)]
