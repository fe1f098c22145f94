"""Erasure of people through their log: who it is becomes graves here and, by a record, in every partition of `events`.

What comes later from before the erasure changes nothing: a snapshot whose row had not applied it, a link whose event is older.
Whoever comes back is new; a lead under the same id is numbered on.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from stream.domain import facts, graph, graves, words
from stream.domain.event import Link
from stream.domain.graves import Grave
from stream.domain.ids import kind_of, value_of
from stream.domain.leads import Cause, Leads, Out
from stream.domain.log import BY_ERASURE, Buried, Disowned, Erase, Erasing, Remembered, Sweep, encode
from stream.domain.ownrows import LogRow
from stream.domain.person import Person, stage_named
from stream.domain.rows import IDENTITY, PERSON, SUMS
from stream.domain.stages import Move
from stream.domain.state import NEVER

BOOK: Final = b"\x00erasures"
"""The key of the row that knows which erasures are going on."""
SWEEP_MS: Final = 12 * 3_600_000
SWEPT_FOR_MS: Final = 7 * 24 * 3_600_000
"""So often, and for so long after the newest erasure, something is written everywhere, so that Kafka compacts what is idle."""
SWEPT: Final = 256
"""So many erased leads, the newest, are told `lead-states` again by that."""
GOING: Final = 1_000
"""So many erasures may wait at once for partitions that no worker reads: their row must fit a cut."""


class Going(msgspec.Struct, array_like=True):
    """An erasure that some partitions of `events`, those `left`, have not applied yet; `found` of the visitors are gone.

    `known`: people knew of it, be it that somebody else's event named it.
    """

    word: str
    lead: str
    identities: int
    left: list[int]
    found: int = 0
    known: bool = False


class Book(msgspec.Struct, array_like=True):
    """The erasures that go on, by place; which leads were erased lately, and when it is swept next and for the last time."""

    going: dict[int, Going] = {}
    leads: list[str] = []
    sweep_at: int = NEVER
    swept_until: int = NEVER


_encoder = msgspec.msgpack.Encoder()
_books = msgspec.msgpack.Decoder(Book)


class Erasures:
    """What the people log erases.

    Args:
        leads: who it is about.
        log: the log's own row.
        partitions: how many partitions `events` has.
    """

    def __init__(self, leads: Leads, log: LogRow, partitions: int) -> None:
        self.leads, self.rows, self._log, self._partitions = leads, leads.rows, log, partitions
        self.salt = self.rows.other(graves.SALT) or b""
        body = self.rows.other(BOOK)
        self._book = Book() if body is None else _books.decode(body)

    def erase(self, told: Erasing, offset: int, clock: int | None) -> None:
        """Erase whom a word names; it is decided when every partition of `events` has done so, too."""
        if words.is_decided(self._log, told.word) or any(going.word == told.word for going in self._book.going.values()):
            return
        if clock is None:
            why = "the people's clock does not run yet: each partition of events must be read by a worker once; then erase again"
            words.decide(self._log, told.word, why, done=False)
            return
        if len(self._book.going) >= GOING:
            why = f"{GOING:,} erasures wait for partitions of events that no worker reads: start one; then erase again"
            words.decide(self._log, told.word, why, done=False)
            return
        person, nodes = self._who(told.id)
        if not nodes:
            words.decide(self._log, told.word, "no lead of this id: nothing is erased", done=False)
            return
        if not self.salt:
            self.salt = told.salt
            self.rows.keep_other(graves.SALT, self.salt)
        cause, self.leads.cause = Cause(offset, clock), Cause(offset, clock, BY_ERASURE)
        lead = person.id if person is not None and person.identified else ""
        numbers: dict[str, int] = {}
        known = person is not None or self.rows.identity(nodes[0]) is not None
        if person is None:
            self._leave(nodes[0], cause)
        else:
            numbers = self._end(person, cause)
        for node in nodes:
            self._bury(node, numbers.get(node, 0), cause)
        self._pass_on(Going(told.word, lead, len(nodes), list(range(self._partitions)), known=known), nodes, cause)

    def buried(self, told: Buried) -> None:
        """Hear that a partition of `events` has applied an erasure; the last one decides the word."""
        going = self._book.going.get(told.place)
        if going is None or told.partition not in going.left:
            return
        going.left.remove(told.partition)
        going.found += told.found
        if not going.left:
            del self._book.going[told.place]
            done = bool(going.lead or going.found or going.known)
            words.decide(self._log, going.word, _said(going), done=done, **_counted(going))
        self._keep_book()

    def disown(self, told: Disowned, offset: int) -> None:
        """Let a device forget, as its row did, what was told on it, maybe of who is erased; its lead is told without it."""
        identity = self.rows.identity(told.node)
        if identity is None or not 0 <= identity.version < told.version:
            return
        identity.version = told.version
        self.rows.keep(identity)
        if not identity.state.traits:
            return
        cause, self.leads.cause = Cause(offset, told.r), Cause(offset, told.r, BY_ERASURE)
        person = self.rows.person(identity.person) if identity.person else None
        if person is not None:
            self.leads.advance(person, told.r, offset)
            self.leads.told_anew(person)
            self.rows.keep(person)
        identity.state.traits = {}
        self.rows.keep_sums(identity)
        if person is not None and person.identified:
            self._tell_again(person, cause)
            self.leads.arm(person)

    def remember(self, told: Remembered) -> None:
        """Take in a grave again, after people were lost; whoever has the newer one keeps it."""
        if not self.salt:
            self.salt = told.salt
            self.rows.keep_other(graves.SALT, self.salt)
        body = self.rows.other(told.key)
        known = Grave(0, 0) if body is None else graves.read(body)
        if told.salt == self.salt and told.place > known.place:
            self.rows.keep_other(told.key, _encoder.encode(Grave(told.place, told.r, known.sequence)))

    def sweep(self, clock: int) -> None:
        """Have something written everywhere, if it is time; only then Kafka compacts what lies behind it."""
        book = self._book
        if book.sweep_at == NEVER or clock < book.sweep_at:
            return
        value = encode(Sweep(self._log.next + 1))
        self.leads.out += [Out("events", b"", value, clock, n, own=b"sweep") for n in range(self._partitions)]
        for id_ in book.leads:
            person = self.rows.person(id_)
            if person is None or not person.identified:
                self.leads.out.append(Out("lead-states", id_.encode(), None, clock))
        book.sweep_at = clock + SWEEP_MS
        if clock >= book.swept_until:
            book.leads, book.sweep_at = [], NEVER
        self._keep_book()

    def grave(self, node: str) -> Grave | None:
        """Return the newest erasure of an identity."""
        return graves.found(self.rows.other, node)

    def is_before(self, node: str, erased: int) -> bool:
        """Tell whether a row that had applied the erasures up to a place knew nothing of its newest."""
        grave = self.grave(node)
        return grave is not None and erased < grave.place

    def made_since(self, links: Iterable[Link], t: int, buried: int | None = None) -> list[Link]:
        """Return the links of an event of `t` that no erasure of whom they name has ended.

        Of a row that is said again, whose partition has applied the erasures up to `buried`, no later one.
        """
        graves = ((link, self.grave(link.node)) for link in links)
        if buried is not None:
            return [link for link, grave in graves if grave is None or grave.place <= buried]
        return [link for link, grave in graves if grave is None or t >= grave.r]

    def _who(self, id_: str) -> tuple[Person | None, list[str]]:
        """Return whom an id means, with all their identities; a visitor alone where nobody is meant; none for an unknown lead."""
        if ":" not in id_:
            person = self.rows.person(id_)
            known = person is not None and person.identified
            return (person, self._nodes(person)) if person is not None and known else (None, [])
        identity = self.rows.identity(id_)
        if kind_of(id_) == "lead":
            person = self.rows.lead(value_of(id_))
        else:
            person = None if identity is None or identity.shared else self.rows.person(identity.person)
        return (None, [id_]) if person is None else (person, self._nodes(person, id_))

    def _nodes(self, person: Person, *more: str) -> list[str]:
        ids = [f"lead::{id_}" for id_ in (person.id, *person.previous) if not id_.startswith("~")]
        return list(dict.fromkeys([*person.members, *more, *ids]))

    def _end(self, person: Person, cause: Cause) -> dict[str, int]:
        """Let a person end; returns of each lead it was the number of its last fact, all that stays of it."""
        leads = self.leads
        if person.identified:
            leads.advance(person, cause.r, cause.offset)
            person.sequence += 1
            time = max(cause.r, person.as_of)
            value = facts.envelope(leads.app, "lead.erased.v1", person, time, cause.r, {"lead": {"id": person.id}})
            leads.tell(person, value, cause, state=None)
            leads.timers.disarm(person.id)
            self._book.leads = [*(id_ for id_ in self._book.leads if id_ != person.id), person.id][-SWEPT:]
        self._tell_parted(person.members, person, cause)
        numbers = {f"lead::{person.id}": person.sequence}
        for id_ in person.previous:
            known = self.rows.stub(id_)
            numbers[f"lead::{id_}"] = 0 if known is None else known.sequence
        for id_ in (person.id, *person.previous):
            self.rows.drop(PERSON + id_.encode())
        leads.told_anew(person)
        return numbers

    def _tell_parted(self, nodes: Iterable[str], owner: Person | None, cause: Cause) -> None:
        """Tell the leads again that these identities were one with, until an operator's unlink; but for whose they are now."""
        known = [identity for node in nodes if (identity := self.rows.identity(node)) is not None]
        for id_ in sorted({cut.other for identity in known for cut in identity.apart if cut.other}):
            other = self.rows.person(id_)
            if other is not None and other.identified and other is not owner:
                self.leads.advance(other, cause.r, cause.offset)
                self._tell_again(other, cause)

    def _leave(self, node: str, cause: Cause) -> None:
        """Take a shared device from whom it gave its past to; the others stay one person, under an id that does not name it."""
        identity = self.rows.identity(node)
        owner = self.rows.person(identity.person) if identity is not None else None
        self._tell_parted([node], owner, cause)
        if identity is None or owner is None or node not in owner.members:
            return
        self.leads.advance(owner, cause.r, cause.offset)
        owner.members.remove(node)
        left = [one for n in owner.members if (one := self.rows.identity(n)) is not None]
        for stub in [stub for one in left if (stub := self.rows.stub(f"~{one.node}")) is not None and stub.into]:
            self.rows.end(stub)  # of an earlier release: it names whom it became
        graph.hold_together(identity, left)
        graph.forget_links(left, [identity])
        self.rows.keep(*left)
        self.leads.told_anew(owner)
        if owner.id == f"~{node}" and left:
            owner = Person(f"~{owner.members[0]}", owner.born, members=owner.members)
            for one in left:
                self.leads.belong(one, owner)
        self.rows.keep(owner)
        if owner.identified:
            self._tell_again(owner, cause)
            self.leads.arm(owner)

    def _tell_again(self, lead: Person, cause: Cause) -> None:
        """Tell a lead's stage as it is, so that `lead-states` names nobody who was erased."""
        if lead.entered_at == NEVER:
            return
        stage = stage_named(self.leads.rules, lead.stage)
        move = Move(stage, lead.as_of, "unmerge")
        joined = lead.joined
        self.leads.enter(self.leads.view(lead), move, "an identity that it had was erased", cause, lead.entered_at)
        lead.joined = joined

    def _bury(self, node: str, number: int, cause: Cause) -> None:
        key, before = node.encode(), self.grave(node)
        grave = Grave(cause.offset + 1, cause.r, max(number, 0 if before is None else before.sequence))
        self.rows.keep_other(graves.key_of(self.salt, key), _encoder.encode(grave))
        for prefix in (IDENTITY, SUMS, PERSON + b"~"):
            self.rows.drop(prefix + key)

    def _pass_on(self, going: Going, nodes: list[str], cause: Cause) -> None:
        place, book = cause.offset + 1, self._book
        value = encode(Erase(place, cause.r, self.salt, nodes))
        self.leads.out += [Out("events", b"", value, cause.r, n, own=b"erase") for n in range(self._partitions)]
        book.going[place] = going
        book.sweep_at = cause.r + SWEEP_MS if book.sweep_at == NEVER else book.sweep_at
        book.swept_until = max(book.swept_until, cause.r + SWEPT_FOR_MS)
        self._keep_book()

    def _keep_book(self) -> None:
        self.rows.keep_other(BOOK, _encoder.encode(self._book))


def _said(going: Going) -> str:
    visitors = f"{going.found} visitor{'' if going.found == 1 else 's'} gone"
    if going.lead:
        return f"{going.lead} is erased, with {going.identities} ids; {visitors}; the CRM is told by lead.erased.v1"
    if going.found or going.known:
        return f"erased; {visitors}"
    return "nothing was known of it; what happened under it until now is refused from now on"


def _counted(going: Going) -> dict[str, object]:
    return {"lead": going.lead or None, "identities": going.identities, "visitors": going.found}
