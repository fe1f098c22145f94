"""Who belongs together: links, refused links, shared devices, and two leads becoming one.

Class A: two values of one kind never meet in one person. A refused link changes nothing, but a class C identity of the pair is
shared from then on: what it gave stays with its person, its later events are nobody's. The lead identified first goes on.
"""

from hashlib import blake2b

from stream.domain import facts
from stream.domain.event import Link
from stream.domain.ids import class_of, kind_of
from stream.domain.leads import Cause, Leads
from stream.domain.log import Snapshot
from stream.domain.person import Identity, Person, stage_named
from stream.domain.ruleset.model import Stage
from stream.domain.stages import Move

REFUSED = 256
"""How many refused nodes an identity remembers, each in `MARK` bytes."""
MARK = 6


class Links:
    """The identity decisions of the people log."""

    def __init__(self, leads: Leads) -> None:
        self.leads, self.rows = leads, leads.rows

    def follow(self, key: Identity, person: Person, snap: Snapshot, cause: Cause) -> Person:
        """Link the key to every other id of its event; returns whom the key belongs to then.

        `person` is the key's; a shared key has one too, the one it gave its past to.
        """
        for link in snap.links:
            other = self.rows.identity(link.node) or Identity(link.node)
            theirs = self.rows.person(other.person) if other.person else None
            code = self._clash(person, theirs, other) if theirs is not person else None
            if code == "class_a":
                self._share(key, other)
            elif key.shared or other.shared:
                continue
            if code is not None:
                self._refuse(key, other, code, cause)
                continue
            self._named(other, link, snap, cause)
            if theirs is None:
                person = self._join(person, other, cause)
            elif theirs is not person:
                person = self._unite(person, theirs, cause)
        return person

    def _named(self, other: Identity, link: Link, snap: Snapshot, cause: Cause) -> None:
        if link.kind or snap.t >= other.named_t:
            other.name_at(snap.t, cause.offset)
            other.kind = link.kind or other.kind
            self.rows.keep(other)
            owner = self.rows.person(other.person)
            if link.kind and owner is not None:
                self.leads.told_anew(owner)

    def _clash(self, ours: Person, theirs: Person | None, other: Identity) -> str | None:
        """Return why two persons (or one and an identity nobody has) must not become one, or None."""
        joining = theirs.members if theirs is not None else [other.node]
        known = {kind_of(n): n for n in ours.members if class_of(kind_of(n)) == "A"}
        if any(known.get(kind_of(n), n) != n for n in joining if class_of(kind_of(n)) == "A"):
            return "class_a"
        return "max_members" if len(ours.members) + len(joining) > self.leads.rules.max_members else None

    def _share(self, *pair: Identity) -> None:
        for one in pair:
            if class_of(kind_of(one.node), self.leads.rules.typed_email) == "C":
                one.shared = True
                self.rows.keep(one)

    def _refuse(self, key: Identity, other: Identity, code: str, cause: Cause) -> None:
        """Tell each lead concerned, once per pair in either order."""
        if _mark(other.node) in _marks(key) or _mark(key.node) in _marks(other):
            return
        key.refused = (key.refused + _mark(other.node))[-REFUSED * MARK :]
        self.rows.keep(key)
        persons = [self.rows.person(one.person) for one in (key, other) if one.person]
        leads = {p.id: p for p in persons if p is not None and p.identified}
        data = {"ids": [key.node, other.node], "leads": list(leads), "code": code}
        for lead in leads.values():
            lead.sequence += 1
            value = facts.envelope(self.leads.app, "identity.conflict.v1", lead, lead.as_of, cause.r, data)
            self.leads.tell(lead, value, cause)
            self.rows.keep(lead)

    def _join(self, ours: Person, other: Identity, cause: Cause) -> Person:
        """Take in an identity that nobody has."""
        ours.members.append(other.node)
        self.leads.belong(other, ours)
        if class_of(kind_of(other.node), self.leads.rules.typed_email) == "C":
            self.leads.wake(other.node, cause)
        return self.leads.identify(ours, cause)

    def _unite(self, ours: Person, theirs: Person, cause: Cause) -> Person:
        """Make two persons one: the lead identified first goes on, a person that is no lead joins."""
        first, last = (ours, theirs) if _age(ours) <= _age(theirs) else (theirs, ours)
        for lead in (first, last):
            self.leads.advance(lead, cause.r, cause.offset)
        for node in last.members:
            self.leads.belong(self.rows.identity(node) or Identity(node), first)
        first.members += last.members
        last.into, last.members = first.id, []
        self.rows.keep(first, last)
        if last.identified:
            self._merge(first, last, cause)
        return first

    def _merge(self, first: Person, last: Person, cause: Cause) -> None:
        leads = self.leads
        last.sequence += 1
        data = {"lead": {"id": last.id}, "into": first.id}
        time = max(cause.r, last.as_of)
        leads.tell(last, facts.envelope(leads.app, "lead.merged.v1", last, time, cause.r, data), cause, state=None)
        leads.timers.disarm(last.id)
        cause.code = "merge"
        first.previous += [last.id, *last.previous]
        first.bonuses = {**last.bonuses, **first.bonuses}
        first.as_of = max(first.as_of, last.as_of)
        first.hold_until = max(first.hold_until, last.hold_until)
        first.crm_t = max(first.crm_t, last.crm_t)
        leads.earn(first)
        theirs = stage_named(leads.rules, last.stage)
        if _rank(theirs) > _rank(stage_named(leads.rules, first.stage)):
            text = f"taken over from {last.id}, merged into this lead"
            move = Move(theirs, first.as_of, "merge")
            leads.enter(leads.view(first), move, text, cause, last.entered_at)


def _mark(node: str) -> bytes:
    return blake2b(node.encode(), digest_size=MARK).digest()


def _marks(identity: Identity) -> set[bytes]:
    return {identity.refused[at : at + MARK] for at in range(0, len(identity.refused), MARK)}


def _age(person: Person) -> tuple[bool, int, int]:
    """Order leads before others, each by when they came to be."""
    return not person.identified, person.identified, person.born


def _rank(stage: Stage) -> tuple[bool, int]:
    """Order stages: a CRM-owned one wins, then the higher."""
    return stage.owner == "crm", stage.order
