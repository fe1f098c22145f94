"""An operator's word on who belongs together: `link` makes two identities one person, `unlink` makes one person two.

It stands in the log of people like everything that decides about them, and has the people's clock as its receive time.
"""

from stream.domain import apart, graph, words
from stream.domain.ids import is_device, kind_of, lead_id, value_of
from stream.domain.leads import Cause, Out
from stream.domain.links import Links
from stream.domain.log import Linking, Said, Unlinking, encode
from stream.domain.ownrows import LogRow
from stream.domain.person import Identity, Person
from stream.domain.state import NEVER
from stream.domain.unlinking import Split


class NotDone(Exception):  # noqa: N818 - an answer, not a fault
    """Why an operator's word does nothing."""


class Mending:
    """Decides operators' words, each once."""

    def __init__(self, links: Links) -> None:
        self.links, self.leads, self.rows = links, links.leads, links.rows
        self._split = Split(links.leads)

    def decide(self, said: Linking | Unlinking, log: LogRow, offset: int, clock: int | None) -> None:
        """Do what was said, or nothing, and remember which; `clock` is the people's (ms), None where it is not known yet."""
        if words.is_decided(log, said.word):
            return
        try:
            text = self._do(said, offset, clock)
        except NotDone as error:
            words.decide(log, said.word, str(error), done=False)
        else:
            words.decide(log, said.word, text)

    def _do(self, said: Linking | Unlinking, offset: int, clock: int | None) -> str:
        one, other = self._named(said.one), self._named(said.other)
        if one.node == other.node:
            raise NotDone("nothing is done: both are the same identity")
        return (self._link if isinstance(said, Linking) else self._unlink)(one, other, offset, clock)

    def _link(self, one: Identity, other: Identity, offset: int, clock: int | None) -> str:
        for identity in (one, other):
            self._require_linkable(identity)
        if not one.person and other.person:
            one, other = other, one
        ours, theirs = self._owner(one) or Person(f"~{one.node}", offset + 1, members=[one.node]), self._owner(other)
        shared = [identity for identity in (one, other) if identity.shared]
        if ours is theirs and not shared:
            raise NotDone(f"nothing is done: they are one person already, {_name(ours)}")
        code = self.links.clash(ours, theirs, other) if ours is not theirs else None
        if code is not None:
            raise NotDone(self._why(code, ours, theirs))
        cause = self.leads.cause = Cause(offset, self._now(clock, ours, theirs))
        for device in shared:
            self._unshare(device, cause)
        cuts = self._cuts(ours, theirs)
        person = self._unite(one, other, ours, theirs, cause)
        self._judge(person, cause)
        unshared = {device.node for device in shared}
        for known in self.links.identities(person):
            if known.node in {one.node, *unshared} or len(known.apart) < cuts.get(known.node, 0):
                linked = other.node if known.node == one.node else ""
                self._remember(known, cause, cause.r if known.node in unshared else NEVER, linked)
        gone = theirs if person is ours else ours
        merged = f"; {gone.id} was merged into it" if cause.code == "merge" and gone is not None else ""
        return f"they are one person now, {_name(person)}{merged}{'; shared no more' if shared else ''}"

    def _require_linkable(self, identity: Identity) -> None:
        if identity.kind == "role":
            raise NotDone("refused: a role mailbox is many people's, it never links")
        if not identity.person and not is_device(identity.node, self.leads.rules.typed_email):
            raise NotDone(f"nothing is done: nobody is known under this {kind_of(identity.node)}: check the id")

    def _unite(self, one: Identity, other: Identity, ours: Person, theirs: Person | None, cause: Cause) -> Person:
        graph.note(one, other)
        if not one.person:
            self.leads.belong(one, ours)
            self.leads.wake(one.node, cause)
        self.leads.advance(ours, cause.r, cause.offset)
        self.rows.keep(one)
        if theirs is None:
            return self.links.join(ours, other, cause)
        if theirs is ours:
            return ours
        self.rows.keep(*apart.heal([*self.links.identities(ours), *self.links.identities(theirs)]))
        return self.links.unite(ours, theirs, cause)

    def _unshare(self, device: Identity, cause: Cause) -> None:
        """Let what a device did, also meanwhile, be its person's again: it is asked for its sums."""
        device.shared, device.asked = False, True
        self.rows.keep(device)
        self.leads.wake(device.node, cause)

    def _judge(self, person: Person, cause: Cause) -> None:
        self.rows.keep(person)
        if person.identified:
            person.as_of = max(person.as_of, cause.r)
            self.leads.earn(person)
            self.leads.judge(person, cause)
            self.leads.arm(person)

    def _why(self, code: str, ours: Person, theirs: Person | None) -> str:
        who = _name(ours) if theirs is None else f"{_name(ours)} and {_name(theirs)}"
        if code == "max_members":
            over = f"more than {self.leads.rules.max_members} identities ([identity] max_members)"
            return f"refused: one person would have {over}: {who}"
        return f"refused: one person would have two registrations of one kind (class A): {who}; unlink first what is wrong"

    def _unlink(self, one: Identity, other: Identity, offset: int, clock: int | None) -> str:
        person = self._owner(one)
        if person is None or person is not self._owner(other):
            raise NotDone("nothing is done: they are not one person")
        cause = self.leads.cause = Cause(offset, self._now(clock, person))
        split = self._split.split(person, one, other, cause)
        for side in (person, split):
            for known in self.links.identities(side):
                self._remember(known, cause)
        return f"they are two persons now, {_name(person)} and {_name(split)}"

    def _cuts(self, *persons: Person | None) -> dict[str, int]:
        """Return from how many cuts each identity is kept apart."""
        return {known.node: len(known.apart) for one in persons if one is not None for known in self.links.identities(one)}

    def _remember(self, known: Identity, cause: Cause, unshared: int = NEVER, linked: str = "") -> None:
        """Let an identity's row remember what the word left of it."""
        said = Said(known.node, cause.offset + 1, known.apart, unshared, linked)
        self.leads.out.append(Out("wakes", known.node.encode(), encode(said), cause.r))

    def _named(self, said: str) -> Identity:
        """Return the identity that an operator named: itself, or by a lead's id the one the lead was made of."""
        lead = value_of(said) if said.startswith("lead::") else said
        if ":" in lead:
            return self.rows.identity(said) or Identity(said)
        person = self.rows.person(lead)
        made_of = next((node for node in person.members if lead_id(node) == lead), None) if person is not None else None
        if made_of is None:
            raise NotDone("nothing is done: there is no lead of this id")
        return self.rows.identity(made_of) or Identity(made_of)

    def _owner(self, identity: Identity) -> Person | None:
        return self.rows.person(identity.person) if identity.person else None

    def _now(self, clock: int | None, *persons: Person | None) -> int:
        """Return the people's clock, where it is not known yet the newest of the persons'."""
        return clock if clock is not None else max(person.as_of for person in persons if person is not None)


def _name(person: Person) -> str:
    return f"lead {person.id}" if person.identified else "no lead"
