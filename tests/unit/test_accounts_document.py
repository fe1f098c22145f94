"""What is known of a company: score, people, evidence, committee, as of now or of an instant ahead; nothing is stored."""

from typing import Any

import msgspec
import pytest

from stream.domain.accounts.account import Account
from stream.domain.accounts.document import account
from stream.domain.accounts.fold import Accounts
from stream.domain.crossing import END
from stream.domain.documents import TooEarly
from stream.domain.event import Company, Link
from stream.domain.freshness import counts_until
from stream.domain.head import LENGTH
from stream.domain.instants import write
from stream.domain.log import Member, Members, encode
from stream.domain.ruleset import load
from tests.property.test_membership import World as Membership
from tests.told import START, happened

RULES = """
[decay]
half_life = "10d"
[accounts]
anonymous = 0.5
[[accounts.stages]]
name = "engaged"
enter = { score = 50, people = 1 }
exit = { score = 25 }
[committee.roles.boss]
titles = ["ceo"]
[committee.roles.user]
titles = ["engineer"]
[committee.departments.it]
titles = ["it"]
"""
FRESHNESS = '[freshness]\nhalf_life = "10d"\nmin_confidence = 0.25\n'
DAY = 86_400_000
T0 = 1_790_000_000_000
ID = "account::acme.example"
TEN_DAYS = 10.0 * DAY


class World:
    """A partition of accounts that heard some members."""

    def __init__(self, rules: str = RULES) -> None:
        self.fold = Accounts({}, "app", load(rules.encode()))
        self.offset = 0

    def hear(self, *members: Member, r: int = T0) -> "World":
        self.fold.apply(self.offset, encode(Members(ID, r, list(members))))
        self.offset += 1
        return self

    def shown(self, now: int = T0, at: int | None = None) -> dict[str, Any]:
        document = account(self.fold, ID, now, at)
        assert document is not None
        return document


def lead(id_: str = "lead_a", points: float = 80.0, **more: Any) -> Member:
    told = ("Acme", "acme.example", "business", 1.0)
    given: dict[str, Any] = {"evidence": [("email", "acme.example")], "told": told, "told_at": [T0], "active": T0} | more
    return Member(id_, 1, lead=True, base=T0, interest={TEN_DAYS: points}, **given)


def visitor(id_: str = "v_1", points: float = 20.0, **more: Any) -> Member:
    told = ("By Address", "acme.example", "business", 0.8)
    given: dict[str, Any] = {"evidence": [("address", "192.0.2.0/24")], "told": told, "told_at": [T0], "active": T0 - DAY} | more
    return Member(id_, 1, base=T0, interest={TEN_DAYS: points}, **given)


def test_all_that_is_known_of_a_company() -> None:
    boss = lead("lead_b", role="boss", department="it")
    document = World().hear(boss, lead(points=0.0, role="user"), visitor()).shown()
    assert document["evidence"] == [
        {
            "source": "email", "proof": "acme.example", "people": 2, "visitors": 0,
            "since": write(T0), "last": write(T0), "confidence": 1.0,
        },
        {
            "source": "address", "proof": "192.0.2.0/24", "people": 0, "visitors": 1,
            "since": write(T0), "last": write(T0), "confidence": 0.8,
        },
    ]  # fmt: skip
    del document["evidence"], document["ruleset"], document["seats"]
    assert document == {
        "id": ID, "name": "Acme", "domain": "acme.example", "kind": "business", "confidence": 1.0, "asOf": write(T0),
        "stage": "engaged",
        "stageOrder": 1,
        "enteredAt": write(T0),
        "score": pytest.approx(90.0), "interest": pytest.approx(90.0), "people": ["lead_a", "lead_b"], "anonymous": 1,
        "committee": {"boss": ["lead_b"], "user": ["lead_a"]}, "missing": [], "departments": {"it": ["lead_b"]},
        "lastActivity": write(T0),
    }  # fmt: skip


def test_sums_are_as_of_now_and_the_stage_as_last_decided() -> None:
    world = World().hear(lead())
    document = world.shown(now=T0 + 20 * DAY)
    assert document["score"] == pytest.approx(20.0)
    assert (document["stage"], document["asOf"]) == ("engaged", write(T0))
    assert world.shown(now=T0 - DAY)["score"] == pytest.approx(80.0)


def test_at_an_instant_ahead_all_is_as_if_the_clock_had_run_there_and_nothing_is_stored() -> None:
    world = World().hear(lead())
    before = world.fold.cut()
    document = world.shown(at=T0 + 20 * DAY)
    assert document["score"] == pytest.approx(20.0)
    assert (document["stage"], document["stageOrder"], document["asOf"]) == ("visitor", 0, write(T0 + 20 * DAY))
    assert world.fold.out == World().hear(lead()).fold.out
    assert world.fold.cut()[:-1] == []
    assert before != []
    assert world.shown()["stage"] == "engaged"


def test_the_last_instant_there_is_can_be_asked_for() -> None:
    world = World().hear(lead(idle_ms=15 * DAY, idle_points=-30.0)).hear(visitor())
    for at in (END - 1, END):
        document = world.shown(at=at)
        assert (document["stage"], document["asOf"]) == ("visitor", write(at))
        assert document["score"] == pytest.approx(0.0)
        assert world.shown(now=at)["score"] == pytest.approx(0.0)


def test_the_past_is_not_kept() -> None:
    with pytest.raises(TooEarly):
        World().hear(lead()).shown(at=T0 - 1)


def test_an_instant_that_lies_behind_the_account_and_before_now_is_that_instant() -> None:
    world = World().hear(lead())
    assert world.shown(now=T0 + 20 * DAY, at=T0 + 10 * DAY)["score"] == pytest.approx(40.0)


def test_an_idle_period_that_becomes_full_counts_as_of_now() -> None:
    idles = lead(idle_ms=15 * DAY, idle_points=-30.0)
    assert World().hear(idles).shown(now=T0 + 20 * DAY)["score"] == pytest.approx(0.0)


def test_an_unknown_account_is_none() -> None:
    assert account(World().fold, ID, T0) is None


def test_an_account_that_never_stood_in_a_stage_entered_none() -> None:
    document = World().hear(lead(points=1.0)).shown()
    assert (document["stage"], document["enteredAt"]) == ("visitor", None)


def test_who_left_is_not_there() -> None:
    world = World().hear(lead(), visitor()).hear(Member("lead_a", 2, left=True), r=T0 + DAY)
    document = world.shown(now=T0 + DAY)
    assert (document["people"], document["anonymous"], document["committee"]) == ([], 1, {})
    assert [one["source"] for one in document["evidence"]] == ["address"]
    assert (document["name"], document["confidence"]) == ("By Address", 0.8)
    everybody = world.hear(Member("v_1", 2, left=True), r=T0 + DAY).shown(now=T0 + DAY)
    assert (everybody["anonymous"], everybody["evidence"]) == (0, [])
    assert everybody["name"] in {"Acme", "By Address"}


def test_each_piece_of_evidence_is_as_sure_as_when_it_was_told_last() -> None:
    both = [("email", "acme.example"), ("address", "192.0.2.0/24")]
    world = World().hear(lead(evidence=both, told_at=[T0, T0], sure=[1.0, 0.7]), visitor())
    other = visitor("v_2", evidence=[("address", "198.51.100.0/24")], told_at=[T0 + 1], sure=[0.9])
    older = visitor("v_3", told_at=[T0 - 1], sure=[0.1])
    told = world.hear(other, older).shown()["evidence"]
    assert [(one["source"], one["proof"], one["confidence"]) for one in told] == [
        ("email", "acme.example", 1.0), ("address", "192.0.2.0/24", 0.8), ("address", "198.51.100.0/24", 0.9),
    ]  # fmt: skip


def test_an_address_that_an_earlier_release_was_told_is_as_sure_as_the_company() -> None:
    """Its rows of evidence end before how sure each piece was."""
    world = World().hear(visitor())
    world.fold.cut()
    stored = dict(world.fold.rows.stored)
    (key,) = [key for key in stored if key.startswith(b"a:")]
    body = LENGTH + 1
    known = msgspec.msgpack.decode(stored[key][body:])
    proof = known[Account.__struct_fields__.index("proofs")]["address"]["192.0.2.0/24"]
    assert proof.pop() == 0.8
    stored[key] = stored[key][:body] + msgspec.msgpack.encode(known)
    earlier = account(Accounts(stored, "app", load(RULES.encode())), ID, T0)
    assert earlier is not None
    assert (earlier["confidence"], earlier["evidence"][0]["confidence"]) == (0.8, 0.8)


def test_an_address_that_is_less_sure_than_the_mail_stays_so() -> None:
    isp = Company("Acme", "acme.example", "business", 0.7, "isp", "198.51.100.0/24", "")
    world = Membership()
    world.happen(happened("page", "user::1", START, company=isp, links=[Link("email::x@acme.example", "business")]))
    told = account(world.accounts, "account::acme.example", START)
    assert told is not None
    assert [(one["source"], one["confidence"]) for one in told["evidence"]] == [("email", 1.0), ("address", 0.7)]


def test_a_company_is_as_sure_as_the_surest_of_several_addresses() -> None:
    one, other = visitor("v_1", sure=[0.8]), visitor("v_2", sure=[0.7], evidence=[("address", "198.51.100.0/24")])
    document = World().hear(one, other).shown()
    assert [each["confidence"] for each in document["evidence"]] == [0.8, 0.7]
    assert document["confidence"] == 0.8


def test_evidence_told_long_ago_is_less_sure_and_an_old_title_is_nobodys_role() -> None:
    """Told again it is sure again."""
    rules = load((RULES + FRESHNESS).encode()).freshness
    until = counts_until(rules, T0)
    old = lead(role="boss", role_until=until)
    world = World(RULES + FRESHNESS).hear(old)
    later = world.shown(now=T0 + 10 * DAY)
    assert later["evidence"][0]["confidence"] == later["confidence"] == pytest.approx(0.5)
    assert later["seats"][0]["confidence"] == pytest.approx(0.5)
    assert world.shown(at=until - 1)["committee"] == {"boss": ["lead_a"]}
    assert world.shown(at=until)["missing"] == ["boss", "user"]
    told = Member("lead_c", 1, lead=True, evidence=old.evidence, told=old.told, told_at=[T0 + 10 * DAY])
    again = world.hear(told, r=T0 + 10 * DAY)
    assert again.shown(now=T0 + 10 * DAY)["confidence"] == 1.0
