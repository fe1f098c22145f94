"""Who belongs together: links, refused links, shared devices, and two leads becoming one.

Class A: two values of one kind never meet in one person. A refused link changes nothing, but a class C identity of the pair is
shared from then on: what it gave stays with its person, its later events are nobody's. The lead identified first goes on.
"""

from hashlib import blake2b

from stream.domain import apart, facts, graph, graves, joining
from stream.domain.event import Link
from stream.domain.ids import class_of, is_device, kind_of
from stream.domain.leads import Cause, Leads
from stream.domain.log import Snapshot
from stream.domain.packed import holds
from stream.domain.person import Identity, Person, stage_named
from stream.domain.stages import Move

REFUSED = 256
"""How many refused nodes an identity remembers."""
REFUSED_BYTES = 6
"""Of the hash by which it remembers one."""


class Links:
    """The identity decisions of the people log."""

    def __init__(self, leads: Leads) -> None:
        self.leads, self.rows = leads, leads.rows

    def follow(self, key: Identity, person: Person, snap: Snapshot, cause: Cause) -> Person:
        """Link the key to every other id of its event; returns whom the key belongs to then.

        `person` is the key's; a shared key has one too, the one it gave its past to.
        """
        again = snap.wake and self.leads.settling
        for place, link in enumerate(snap.links, 1):
            other = self.rows.identity(link.node) or Identity(link.node)
            theirs = self.rows.person(other.person) if other.person else None
            code = self._refusal(key, person, theirs, other, again=again)
            if code is not None:
                if code:
                    self._refuse(key, other, code, cause)
                continue
            if theirs is not None and theirs is not person:  # what was due before does not know what is told now
                self.leads.advance(theirs, cause.r, cause.offset)
            graph.note(key, other, joins=theirs is not person)
            self._named(other, link, snap, cause, place)
            if theirs is None:
                person = self.join(person, other, cause)
            elif theirs is not person:
                person = self.unite(person, theirs, cause)
        return person

    def _refusal(self, key: Identity, ours: Person, theirs: Person | None, other: Identity, *, again: bool) -> str | None:
        """Return why a link does not hold: a code to be told, "" for nothing to be said; None: it holds.

        `again`: it is told again after a loss, so that whether it shares was said when its refusal came back.
        """
        if theirs is ours:
            return "" if key.shared or other.shared else None
        if apart.are_apart((key,), (other,)):
            return ""
        code = self.clash(ours, theirs, other)
        if code == "class_a":
            known = self._was_told(key, other)
            if not (again and known):
                self.share(key, other)
            return "" if known else code
        if (
            key.shared
            or other.shared
            or (code is not None and self._was_told(key, other))
            or self._are_apart(ours, theirs, other)
        ):
            return ""
        return code

    def _named(self, other: Identity, link: Link, snap: Snapshot, cause: Cause, place: int) -> None:
        if link.kind or snap.t >= other.named_t:
            other.name_at(snap.t, cause.offset, place)
            other.kind = link.kind or other.kind
            self.rows.keep(other)
            owner = self.rows.person(other.person) if link.kind else None
            if owner is not None:
                self.leads.told_anew(owner)

    def _are_apart(self, ours: Person, theirs: Person | None, other: Identity) -> bool:
        """Tell whether an operator keeps one of a person's identities from one of another's, or from one that nobody has."""
        if theirs is None and not other.apart:
            return False
        return apart.are_apart(self.identities(ours), (other,) if theirs is None else self.identities(theirs))

    def identities(self, person: Person) -> list[Identity]:
        """Return a person's members."""
        return [self.rows.identity(node) or Identity(node) for node in person.members]

    def clash(self, ours: Person, theirs: Person | None, other: Identity) -> str | None:
        """Return why two persons (or one and an identity nobody has) must not become one, or None."""
        coming = theirs.members if theirs is not None else [other.node]
        unique = {n: kind for n in coming if class_of(kind := kind_of(n)) == "A"}
        if unique:
            known = {kind: n for n in ours.members if class_of(kind := kind_of(n)) == "A"}
            if any(known.get(kind, n) != n for n, kind in unique.items()):
                return "class_a"
        return "max_members" if len(ours.members) + len(coming) > self.leads.rules.max_members else None

    def remember(self, key: Identity, other: Identity) -> None:
        """Remember that a pair was refused."""
        key.refused = (key.refused + self._mark(other.node))[-REFUSED * REFUSED_BYTES :]
        self.rows.keep(key)

    def share(self, *pair: Identity) -> None:
        """Let the devices of a pair be nobody's from now on."""
        for one in pair:
            if is_device(one.node, self.leads.rules.typed_email):
                one.shared = True
                self.rows.keep(one)

    def _refuse(self, key: Identity, other: Identity, code: str, cause: Cause) -> None:
        """Tell each lead concerned."""
        self.remember(key, other)
        persons = [self.rows.person(one.person) for one in (key, other) if one.person]
        leads = {p.id: p for p in persons if p is not None and p.identified}
        data = {"ids": [key.node, other.node], "leads": list(leads), "code": code}
        for lead in leads.values():
            lead.sequence += 1
            value = facts.envelope(self.leads.app, "identity.conflict.v1", lead, lead.as_of, cause.r, data)
            self.leads.tell(lead, value, cause)
            self.rows.keep(lead)

    def _was_told(self, key: Identity, other: Identity) -> bool:
        """Tell whether the pair was refused before, in either order."""
        return holds(key.refused, self._mark(other.node)) or holds(other.refused, self._mark(key.node))

    def _mark(self, node: str) -> bytes:
        """Return what stands for an identity among those refused; one that was erased since is another."""
        grave = graves.found(self.rows.other, node)
        life = b"" if grave is None else grave.place.to_bytes(8, "big")
        return blake2b(node.encode(), digest_size=REFUSED_BYTES, key=life).digest()

    def join(self, ours: Person, other: Identity, cause: Cause) -> Person:
        """Take in an identity that nobody has."""
        ours.members.append(other.node)
        self.leads.belong(other, ours)
        slept = kind_of(other.node) == "email" and other.version < 0 and self.leads.in_force.weak_email
        if slept or is_device(other.node, self.leads.rules.typed_email):
            self.leads.wake(other.node, cause)
        return self.leads.identify(ours, cause)

    def unite(self, ours: Person, theirs: Person, cause: Cause) -> Person:
        """Make two persons one: the lead identified first goes on, a person that is no lead joins."""
        first, last = (ours, theirs) if _age(ours) <= _age(theirs) else (theirs, ours)
        for lead in (first, last):
            self.leads.advance(lead, cause.r, cause.offset)
        for node in last.members:
            self.leads.belong(self.rows.identity(node) or Identity(node), first)
        first.members += last.members
        last.into, last.members = first.id, []
        self.rows.keep(first)
        self.rows.end(last)
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
        joining.take(first, last)
        leads.earn(first)
        over = joining.stage_over(first, last, leads.rules)
        if over is not None:
            text = f"taken over from {last.id}, merged into this lead"
            move = Move(stage_named(leads.rules, last.stage), first.as_of, "merge")
            leads.enter(leads.view(first), move, text, cause, last.entered_at)
            joining.stand(first, over)


def _age(person: Person) -> tuple[bool, int, int]:
    """Order leads before others, each by when they came to be."""
    return not person.identified, person.identified, person.born
