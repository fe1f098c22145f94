"""Erasures as a partition of `events` applies them: rows become graves, and who named the erased forgets them."""

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

from stream.agents.headers import INTERNAL
from stream.agents.latch import FLAGS
from stream.agents.rules import FORMATS
from stream.domain import graves, visitor
from stream.domain.event import Event, Link
from stream.domain.head import head_at
from stream.domain.ids import is_device
from stream.domain.log import Buried, Disowned, Erase, Remembered, Unreadable, decode
from stream.domain.visitor import Visitor

if TYPE_CHECKING:
    from stream.runtime.rows import RowPart

ERASE = (INTERNAL, b"erase")
"""The header of our own records in `events` that erase somebody."""


def told(value: bytes | None) -> Erase | None:
    """Return what such a record says; None for one that is none of ours. Raises `Unreadable` for a newer release's."""
    if not value or value[0] >= FORMATS:
        return None
    record = decode(value)
    if not isinstance(record, Erase):
        raise Unreadable(f"a record that should erase somebody holds a {type(record).__name__}")
    return record


class Graveyard:
    """The graves of one open partition."""

    def __init__(self, part: "RowPart[Visitor]") -> None:
        self._part = part
        self.salt = graves.salt_of(part.stored)

    def grave(self, key: bytes) -> Visitor | None:
        """Return the grave of an identity."""
        return self._part.get(graves.key_of(self.salt, key)) if self.salt else None

    def risen(self, key: bytes) -> Visitor | None:
        """Return the row of a new life out of an identity's grave; None: it has none."""
        grave = self.grave(key)
        return None if grave is None else visitor.rise(grave)

    def wake(self, key: bytes, place: int) -> Visitor | None:
        """Let a grave know that somebody listens; returns a row of nothing to answer with, None where that is long known.

        A wake from before the erasure, by its place in `people`, is answered by nothing: who heard it has forgotten, too.
        """
        grave = self.grave(key)
        if grave is None:
            return Visitor()
        if not grave.listened:
            grave.listened = True
            self._part.put(graves.key_of(self.salt, key), grave)
        return visitor.rise(grave) if place > grave.erased_at else None

    def made_since(self, event: Event) -> tuple[Link, ...]:
        """Return the links of an event that no erasure of whom they name has ended."""
        graves = ((link, self.grave(link.node.encode())) for link in event.links)
        return tuple(link for link, grave in graves if grave is None or not visitor.is_erased(grave, event.t))

    def erase(self, told: Erase, own: Collection[bytes], partition: int, position: int) -> Iterator[Buried | Disowned]:
        """Make graves of the identities; a repeat changes nothing. `own` are those whose rows are here.

        The others' say from when on an event may name them. Yields what people must hear.
        """
        if not self.salt:
            self.salt = told.salt
            self._part.put_raw(graves.SALT, head_at(position) + told.salt)
        found = sum([self._bury(node.encode(), own, told, position) for node in told.nodes])
        for node in self._disown(told.nodes, position):
            yield Disowned(node, position, told.r)
        yield Buried(told.place, partition, found)

    def all(self) -> Iterator[Remembered]:
        """Yield every grave, for people that were lost."""
        for key in [key for key in {**self._part.stored, **self._part.changed} if key.startswith(graves.GRAVE)]:
            grave = self._part.get(key)
            if grave is not None and grave.erased is not None:
                yield Remembered(self.salt, key, *grave.erased)

    def _bury(self, key: bytes, own: Collection[bytes], told: Erase, position: int) -> bool:
        """Put a grave in the place of a row; tell whether there was one that had seen anything."""
        row = self._part.get(key) if key in own else None
        known = row or self.grave(key)
        if known is not None and known.erased_at >= told.place:
            return False
        self._part.put(graves.key_of(self.salt, key), visitor.bury(known, told.place, told.r, position))
        if key in own:
            self._part.drop(key)
        return row is not None and row.state.events > 0

    def _disown(self, nodes: Iterable[str], position: int) -> list[str]:
        """Let rows forget that their events named somebody who is erased: devices that several people use, refused links.

        Returns the devices among them.
        """
        forgot = []
        others, part = frozenset(nodes), self._part
        names = [node.encode() for node in others]
        for key, data in part.stored.items():
            if key[0] == 0 or data[FLAGS] != 1 or key in part.changed:
                continue
            for name in names:  # one regular expression for all of them looks four times as long
                if name in data:
                    row = part.get(key)
                    if row is not None and visitor.disown(key.decode(), row, others, position):
                        part.put(key, row)
                        forgot.append(key.decode())
                    break
        for key, row in part.changed.items():
            if key[0] and visitor.disown(key.decode(), row, others, position):
                forgot.append(key.decode())
        return [node for node in dict.fromkeys(forgot) if is_device(node)]
