"""However the clock is cut into ticks, and wherever a worker starts anew, leads leave accounts at the same instants."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stream.domain import log as logs
from stream.domain import membership
from stream.domain.accounts.document import account
from stream.domain.accounts.fold import Accounts
from stream.domain.event import Company, Event, Group, Link
from stream.domain.ids import lead_id
from stream.domain.people import People
from tests.property.stories import slow
from tests.told import START, Log, happened, rules

LASTS = 1_000
RULES = rules(
    """
[behaviours.met]
match = { event = "Met" }
points = 30
half_life = "1s"
[[stages]]
name = "warm"
enter = { interest = 20 }
exit = { interest = 14 }
[freshness]
half_life = "1s"
min_confidence = 0.5
"""
)
"""What names an account counts for 1000 ms, and a stage falls after 1100: the clock of a lead goes on meanwhile."""
OFFICE = Company("Office", "office.example", "business", 1.0, "ranges", "192.0.2.0/24", "")
HOME = Company("Mail", "mail.example", "business", 1.0, "ranges", "198.51.100.0/24", "")
GROUP, MAIL, ELSEWHERE = "account:group:g", "account::mail.example", "account::office.example"
EVENTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "joins a group": ("group", GROUP, {"group": Group("g")}),
    "uses an address": ("email", MAIL, {"mail": True}),
    "is in the office": ("address", ELSEWHERE, {"company": OFFICE}),
    "is where the address is": ("address", MAIL, {"company": HOME}),
}
"""What happens, of which source a claim it makes, to which account."""
Transition = tuple[str, int, str]
"""A lead, an instant (ms after START) and the account that it counts for from then on ("": none)."""


@dataclass
class Plain:
    """A lead by the rule itself: the first of its claims that is young enough, looked at whenever one has become too old."""

    told: dict[str, tuple[int, str]] = field(default_factory=dict)
    at: int = -1
    account: str = ""

    def young(self, at: int) -> list[tuple[str, str]]:
        """Return (source, account) of the claims that count, the surest first."""
        claims = [(source, *self.told[source]) for source in ("group", "email", "address") if source in self.told]
        return [(source, account) for source, told, account in claims if at - told <= LASTS]

    def proofs(self, at: int) -> list[str]:
        """Return which sources speak for its account."""
        return [source for source, account in self.young(at) if account == self.account]

    def passes(self, until: int) -> list[tuple[int, str]]:
        """Let time pass; return when it changed accounts."""
        changes = []
        for at in sorted({told + LASTS + 1 for told, _ in self.told.values()}):
            if self.at < at <= until and self.account:
                self.at = at
                changes += self.look(at)
        return changes

    def look(self, at: int) -> list[tuple[int, str]]:
        young = self.young(at)
        known, self.account = self.account, young[0][1] if young else ""
        return [] if known == self.account else [(at, self.account)]


def event(user: int, what: str, at: int) -> Event:
    more = dict(EVENTS[what][2])
    if more.pop("mail", False):
        more["links"] = (Link(f"email::{user}@mail.example", "business"),)
    return happened("Met", f"user::{user}", START + at, **more)


def is_shown(worker: "Worker", leads: dict[int, Plain], now: int) -> bool:
    """Tell whether accounts show whom they have and why, as of the instant of a tick."""
    for id_ in (GROUP, MAIL, ELSEWHERE):
        here = {lead_id(f"user::{n}"): lead.proofs(now) for n, lead in leads.items() if lead.account == id_}
        document = account(worker.accounts, id_, START + now)
        people, evidence = ([], []) if document is None else (document["people"], document["evidence"])
        found = [one["source"] for one in evidence for _ in range(one["people"])]
        if people != sorted(here) or sorted(found) != sorted(source for some in here.values() for source in some):
            return False
    return True


class Worker(Log):
    """People that tell accounts, and start anew from their rows where they are told to."""

    def __init__(self) -> None:
        super().__init__(RULES)
        self.stored: dict[bytes, bytes] = {}
        self.people = People(self.stored, 1, "leadstream", RULES, accounts=True)
        self.accounts, self.heard = Accounts({}, "leadstream", RULES), 0
        self.where: dict[str, str] = {}
        self.changes: list[Transition] = []

    def restart(self) -> None:
        self.people.cut()
        self.people = People(self.stored, 1, "leadstream", RULES, accounts=True)

    def append(self, record: Any) -> None:
        super().append(record)
        told = self.people.membership
        assert told is not None
        for out in told.out:
            self.hear(out.value or b"")
        told.out.clear()
        if self.people.waits:
            assert told.clock(1) is None, "accounts are not told a clock that is ahead of who leaves"
            self.append(logs.GoOn())

    def hear(self, value: bytes) -> None:
        record = logs.decode(value)
        assert isinstance(record, logs.Members)
        self.accounts.apply(self.heard, value)
        self.heard += 1
        for member in record.changed:
            if member.lead or member.left:
                new = "" if member.left else record.account
                old = self.where.get(member.id, "")
                if (member.left and old == record.account) or (not member.left and old != record.account):
                    self.where[member.id] = new
                    self.changes.append((member.id, record.r - START, new))


def told(changes: list[Transition]) -> list[Transition]:
    """Return the transitions by lead; of those at one instant the last one: a lead leaves and comes in two records."""
    last = {(lead, at): account for lead, at, account in changes}
    return sorted((lead, at, account) for (lead, at), account in last.items())


steps = st.lists(
    st.tuples(
        st.integers(1, 700),
        st.sampled_from(["tick", "tick", "restart", *EVENTS]),
        st.integers(1, 3),
    ),
    max_size=25,
)


@slow
@given(steps, st.sampled_from([1, 1_000, membership.AGED]))
def test_leads_leave_at_the_instant_whatever_the_ticks_and_restarts(story: list[tuple[int, str, int]], at_once: int) -> None:
    worker, plain, now, wanted = Worker(), {user: Plain() for user in (1, 2, 3)}, 0, list[Transition]()
    membership.AGED, usual = at_once, membership.AGED
    try:
        for wait, what, user in [*story, (4 * LASTS, "tick", 1)]:
            now += wait
            if what == "restart":
                worker.restart()
            elif what == "tick":
                worker.tick(START + now)
                wanted += [(lead_id(f"user::{n}"), *one) for n, lead in plain.items() for one in lead.passes(now)]
                assert is_shown(worker, plain, now)
            else:
                worker.add(event(user, what, now))
                source, named, _ = EVENTS[what]
                plain[user].told[source], plain[user].at = (now, named), now
                wanted += [(lead_id(f"user::{user}"), *one) for one in plain[user].look(now)]
    finally:
        membership.AGED = usual
    assert told(worker.changes) == sorted(wanted)
