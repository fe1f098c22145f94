"""The rows of the `people` table: identities `i:NODE`, their sums `s:NODE`, persons `p:ID`, in memory and as bytes.

A row is a format byte, its position in the log (8 bytes, big endian) and msgpack. All rows that changed since the last cut
go out together with the log's row, so that the table is never torn.
"""

from collections.abc import Iterator, MutableMapping

import msgspec

from stream.domain.head import LENGTH, head_at
from stream.domain.ownrows import LogRow, OwnRows
from stream.domain.person import Identity, Person
from stream.domain.state import State

IDENTITY, SUMS, PERSON = b"i:", b"s:", b"p:"
"""What keys begin with; what is done at every snapshot spells them out, for a name costs a look-up each time."""
LEAD = PERSON + b"lead_"
KEPT_BYTES = 2 * 1024 * 1024
"""Rows of so many bytes may stay decoded behind a cut; as objects they take six times as much."""

_NOTHING = State()
_encoder = msgspec.msgpack.Encoder()
_identities = msgspec.msgpack.Decoder(Identity)
_states = msgspec.msgpack.Decoder(State)
_persons = msgspec.msgpack.Decoder(Person)


class Rows(OwnRows):
    """Identities and persons by node and id, decoded on touch, encoded at the cut; whoever goes on stays decoded behind it."""

    table = "people"

    def __init__(self, stored: MutableMapping[bytes, bytes]) -> None:
        super().__init__(stored)
        self._identities: dict[str, Identity] = {}
        self._persons: dict[str, Person] = {}
        self._changed: dict[bytes, Identity | Person] = {}
        self._others: dict[bytes, bytes | None] = {}
        self._decoded_bytes = 0
        self.touched: dict[str, Identity | Person] | None = None
        """Who was changed by the record that is being applied, where that is asked for."""
        self.gone: list[tuple[str, str]] = []
        """Whose rows went, and in which account they were counted, likewise."""

    def identity(self, node: str) -> Identity | None:
        """Return a known identity."""
        known = self._identities.get(node)
        if known is None:
            key = node.encode()
            if (data := self.stored.get(b"i:" + key)) is not None:
                known = self._identities[node] = self.decoded(_identities, data)
                self._decoded_bytes += len(data)
                if (sums := self.stored.get(b"s:" + key)) is not None:
                    known.state = self.decoded(_states, sums)
                    self._decoded_bytes += len(sums)
        return known

    def stub(self, id_: str) -> Person | None:
        """Return a person's own row, also that of one who was merged away."""
        known = self._persons.get(id_)
        if known is None and (data := self.stored.get(b"p:" + id_.encode())) is not None:
            known = self._persons[id_] = self.decoded(_persons, data)
            self._decoded_bytes += len(data)
        return known

    def person(self, id_: str) -> Person | None:
        """Return a person, the survivor's where it was merged away."""
        known = self._persons.get(id_) or self.stub(id_)
        while known is not None and known.into:
            known = self.stub(known.into)
        return known

    def lead(self, id_: str) -> Person | None:
        """Return whom a lead id means that somebody gave; `~node`, the id of who is no lead yet, means nobody."""
        return None if id_.startswith("~") else self.person(id_)

    def persons(self) -> Iterator[Person]:
        """Return every person that became no other."""
        ids = [key[2:].decode() for key in self.stored if key.startswith(PERSON)]
        for id_ in dict.fromkeys([*ids, *self._persons]):
            person = self.person(id_)
            if person is not None and person.id == id_ and (person.members or not id_.startswith("~")):
                yield person

    def lead_ids(self) -> Iterator[str]:
        """Yield the id of every lead there ever was, merged ones included, in no order; the rows may change meanwhile."""
        for key in self.keys():
            if key.startswith(LEAD):
                yield key[2:].decode()

    def keep(self, *changed: Identity | Person) -> None:
        """Remember rows as changed since the last cut."""
        for row in changed:
            id_ = row.node if isinstance(row, Identity) else row.id
            if self.touched is not None:
                if self.touched.get(id_) is row:
                    continue  # the record that is being applied has kept it already
                self.touched[id_] = row
            key = (b"i:" if isinstance(row, Identity) else b"p:") + id_.encode()
            if self._changed.get(key) is row:
                continue  # half of all calls
            if isinstance(row, Identity):
                self._identities[id_] = row
            else:
                self._persons[id_] = row
            self._mark(key, row)

    def keep_sums(self, identity: Identity) -> None:
        """Remember that an identity's sums changed, and itself."""
        self.keep(identity)
        self._mark(b"s:" + identity.node.encode(), identity)

    def other(self, key: bytes) -> bytes | None:
        """Return the body of a row of another kind."""
        if key in self._others:
            return self._others[key]
        row = self.stored.get(key)
        return None if row is None else row[9:]  # head.body_of without its call: asked for whoever comes, once somebody is erased

    def keep_other(self, key: bytes, body: bytes) -> None:
        """Remember a row of another kind as changed."""
        self._others[key] = body
        self.size += len(key) + len(body) + LENGTH

    def end(self, person: Person) -> None:
        """Keep a lead that became another, for somebody may ask by its id; who was none names nobody any more.

        Its row stays, empty: a null has no place in the log, and one that comes late takes a newer row away.
        """
        if not person.identified:
            person.into, person.members = "", []
        self.keep(person)

    def drop(self, key: bytes) -> None:
        """Remove a row; the next cut says so by a null."""
        if self.touched is not None:
            self._let_go(key, self.touched)
        self.stored.pop(key, None)
        self._changed.pop(key, None)
        self._identities.pop(key[2:].decode(), None)
        self._persons.pop(key[2:].decode(), None)
        self._others[key] = None
        self.size += len(key)

    def _let_go(self, key: bytes, touched: dict[str, Identity | Person]) -> None:
        """Remember in which account somebody was counted."""
        id_ = key[2:].decode()
        if key.startswith(b"i:"):
            identity = self.identity(id_)
            account = "" if identity is None else identity.counted
        else:
            person = self.stub(id_) if key.startswith(b"p:") else None
            account = "" if person is None else person.account
        if account:
            self.gone.append((id_, account))
        touched.pop(id_, None)

    def _mark(self, key: bytes, row: Identity | Person) -> None:
        if key not in self._changed:
            self.marked(key)
        self._changed[key] = row

    def bytes_of(self, key: bytes) -> bytes | None:
        """Return a row's bytes as of now, uncut changes included; their position is that of the next cut, so 0."""
        changed = self._changed.get(key)
        return self.stored.get(key) if changed is None else head_at(0) + _body(key, changed)

    def keys(self) -> Iterator[bytes]:
        """Yield the key of every row, uncut ones included; the rows may change meanwhile."""
        new = [key for key in self._changed if key not in self.stored]
        yield from [*self.stored, *new]

    def cut(self, log: LogRow) -> list[tuple[bytes, bytes | None]]:
        """Return the changed rows as bytes, None for one that is gone, the log's own last."""
        head = head_at(log.next)
        gone = [key for key, body in self._others.items() if body is None and key not in self._changed]
        rows = [(key, head + _body(key, row)) for key, row in self._changed.items()]
        rows += [(key, head + body) for key, body in self._others.items() if body is not None]
        rows += self.cut_own(log)
        self.stored.update(rows)
        self._decoded_bytes += sum([len(row) for _, row in rows])
        self._changed.clear()
        self._others.clear()
        self.size = 0
        return [*((key, None) for key in gone), *rows]

    @property
    def keeps_too_much(self) -> bool:
        """Whether more is decoded than may stay behind a cut."""
        return self._decoded_bytes > KEPT_BYTES

    def forget(self) -> None:
        """Drop what was decoded and not changed."""
        self._decoded_bytes = 0
        self._identities = {row.node: row for row in self._changed.values() if isinstance(row, Identity)}
        self._persons = {row.id: row for row in self._changed.values() if isinstance(row, Person)}


def _body(key: bytes, row: Identity | Person) -> bytes:
    """Encode a person, an identity without its sums, or an identity's sums."""
    if isinstance(row, Person):
        return _encoder.encode(row)
    if key.startswith(b"s:"):
        return _encoder.encode(row.state)
    state, row.state = row.state, _NOTHING
    body = _encoder.encode(row)
    row.state = state
    return body
