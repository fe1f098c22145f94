"""What the CRM told last under each identity, what an operator said of it, and which devices there are: from rows of visitors."""

from typing import NamedTuple

from stream.domain import visitor
from stream.domain.ids import is_device
from stream.domain.log import Refused, Said, Told
from stream.domain.visitor import Visitor

LISTENED = 9
"""The byte of a row that says whether somebody listens: nobody else is told anything about."""


class Kept(NamedTuple):
    """What a row knows of words: its position, the newest move of the CRM, what an operator's newest word left."""

    position: bytes
    moved: Told | None
    said: Said | None


class Moves:
    """Looks through a changelog of visitors: of a key the row with the greatest position counts, of equals the newest word."""

    def __init__(self) -> None:
        self._newest: dict[bytes, Kept] = {}
        self._listened: set[bytes] = set()

    def look(self, key: bytes, row: bytes | None) -> None:
        """Look at a row; None: it is gone."""
        if row is None:
            self._listened.discard(key)
            self._newest.pop(key, None)
            return
        known, position = self._newest.get(key), row[1:LISTENED]
        if key.startswith(b"\x00") or row[LISTENED] != 1 or (known is not None and known.position > position):
            return
        self._listened.add(key)
        found = _kept(key.decode(), position, visitor.decode(row))
        if known is not None and known.position == position and _place(known) > _place(found):
            return
        if known is not None or found.moved is not None or found.said is not None:
            self._newest[key] = found

    def knows(self, pair: Refused) -> bool:
        """Tell whether the devices of a pair are still there: who was erased must not come back by what was refused."""
        return all(node.encode() in self._listened for node in (pair.key, pair.other) if is_device(node))

    def told(self) -> list[Told]:
        """Return the moves in the order in which the CRM's words were received."""
        return sorted((one.moved for one in self._newest.values() if one.moved is not None), key=lambda one: (one.r, one.node))

    def said(self) -> list[Said]:
        """Return what an operator's words left of identities that they took from others, by identity."""
        return sorted(
            (one.said for one in self._newest.values() if one.said is not None and one.said.apart), key=lambda one: one.node
        )

    def unshared(self) -> dict[str, int]:
        """Return up to when (ms) devices are no more shared for what was refused before."""
        return {one.said.node: one.said.unshared for one in self._newest.values() if one.said is not None}


def _kept(node: str, position: bytes, row: Visitor) -> Kept:
    told = row.state.outcomes
    moved = None if told is None or told.moved is None else told.moved
    return Kept(
        position,
        None if moved is None else Told(node, moved.stage, moved.t, moved.r),
        None if row.said is None else Said(node, *row.said),
    )


def _place(kept: Kept) -> int:
    return 0 if kept.said is None else kept.said.place
