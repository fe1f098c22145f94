"""What is known of a visitor or a lead, asked from outside: of a copy, so that nothing is stored and nothing is emitted."""

import re
from typing import Any

import msgspec

from stream.domain import documents, ids
from stream.domain.head import LENGTH
from stream.domain.people import People
from stream.domain.person import Identity, Person
from stream.domain.rows import IDENTITY, PERSON, SUMS
from stream.domain.ruleset.model import Ruleset
from stream.domain.state import State

LEAD_ID = re.compile(r"lead_[0-9a-f]{16}")
OR_A_LEAD = "or a lead's id, lead_ and 16 hexadecimal digits"
LEAD_NODE = "lead::"

_identity = msgspec.msgpack.Decoder(Identity).decode
_person = msgspec.msgpack.Decoder(Person).decode


def named(key: str) -> str:
    """Return a lead id or an identity as it is; ValueError where it is neither."""
    if LEAD_ID.fullmatch(key) is not None:
        return key
    try:
        return node(key)
    except UnicodeEncodeError:
        raise
    except ValueError as error:
        msg = f"{error}, {OR_A_LEAD}"
        raise ValueError(msg) from error


def node(key: str) -> str:
    """Return an identity as it is; ValueError where it is none."""
    ids.parse(key)
    key.encode()  # refuses lone surrogates: such an id cannot be in Kafka
    return key


class Copy:
    """One person's rows, read from a fold without touching what it has decoded.

    Args:
        people: the fold as it is now.
    """

    def __init__(self, people: People) -> None:
        self._people = people
        self.rows: dict[bytes, bytes] = {}

    def person(self, key: str) -> Person | None:
        """Return a person of its own by its id, the survivor's by one merged away, or by an identity that is not shared.

        A lead's id is also its identity, under which nothing may have come yet.
        """
        if LEAD_ID.fullmatch(key) is not None:
            return self._survivor(key)
        identity = self._row(IDENTITY + key.encode())
        if identity is None and key.startswith(LEAD_NODE):
            id_ = key.removeprefix(LEAD_NODE)
            return self._survivor(id_) if LEAD_ID.fullmatch(id_) is not None else None
        known = None if identity is None else _identity(identity)
        return None if known is None or known.shared or not known.person else self._survivor(known.person)

    def fold(self, person: Person) -> People:
        """Return a fold that holds nothing but this person and its members."""
        for member in person.members:
            self._row(IDENTITY + member.encode())
            self._row(SUMS + member.encode())
        return People(self.rows, 1, self._people.leads.app, self._people.in_force)

    def _survivor(self, id_: str) -> Person | None:
        while (row := self._row(PERSON + id_.encode())) is not None:
            person = _person(row)
            if not person.into:
                return person
            id_ = person.into
        return None

    def _row(self, key: bytes) -> memoryview | None:
        """Copy a row, uncut changes included, and return its body."""
        data = self._people.rows.bytes_of(key)
        if data is None:
            return None
        self.rows[key] = data
        return memoryview(data)[LENGTH:]


def lead_of(people: People, key: str) -> str | None:
    """Return the id of the lead that an identity, or a lead id, belongs to; None: of none."""
    person = Copy(people).person(key)
    return person.id if person is not None and person.identified else None


def lead(people: People, key: str, now: int, at: int | None = None) -> dict[str, Any] | None:
    """Return a lead's document by any of its ids; None where there is no such lead.

    Without `at`: sums as of `now` (ms; the lead's clock, if later), stage and route as last decided. With it: as if the
    clock had run there; raises `documents.TooEarly` before the lead's clock.
    """
    copy = Copy(people)
    person = copy.person(key)
    if person is None or not person.identified:
        return None
    fold = copy.fold(person)
    if at is None:
        return documents.lead(fold.leads, person, max(now, person.as_of), person.as_of, decided=True)
    if at < person.as_of:
        raise documents.TooEarly(at, person.as_of)
    fold.leads.advance(person, at, 0)
    return documents.lead(fold.leads, person, at, at, decided=False)


def visitor(name: str, state: State, rules: Ruleset, of_lead: str | None, now: int, at: int | None = None) -> dict[str, Any]:
    """Return a visitor's document; sums and `at` as for a lead."""
    if at is not None and at < state.as_of:
        raise documents.TooEarly(at, state.as_of)
    if at is not None:
        return documents.visitor(name, state, rules, of_lead, at, at)
    return documents.visitor(name, state, rules, of_lead, max(now, state.as_of), state.as_of)
