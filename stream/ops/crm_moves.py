"""What the CRM told last under each identity, and which devices there are, found in the rows of visitors."""

from stream.domain import visitor
from stream.domain.ids import is_device
from stream.domain.log import Refused, Told

LISTENED = 9
"""The byte of a row that says whether somebody listens: nobody else is told anything about."""


class Moves:
    """Looks through a changelog of visitors; of a key the row with the greatest position counts."""

    def __init__(self) -> None:
        self._newest: dict[bytes, tuple[bytes, Told | None]] = {}
        self._listened: set[bytes] = set()

    def look(self, key: bytes, row: bytes | None) -> None:
        """Look at a row; None: it is gone."""
        if row is None:
            self._listened.discard(key)
            self._newest.pop(key, None)
            return
        known = self._newest.get(key)
        if key.startswith(b"\x00") or row[LISTENED] != 1 or (known is not None and known[0] >= row[1:LISTENED]):
            return
        self._listened.add(key)
        told = visitor.decode(row).state.outcomes
        moved = None if told is None else told.moved
        if moved is not None or known is not None:
            found = None if moved is None else Told(key.decode(), moved.stage, moved.t, moved.r)
            self._newest[key] = row[1:LISTENED], found

    def knows(self, pair: Refused) -> bool:
        """Tell whether the devices of a pair are still there: who was erased must not come back by what was refused."""
        return all(node.encode() in self._listened for node in (pair.key, pair.other) if is_device(node))

    def told(self) -> list[Told]:
        """Return the moves in the order in which the CRM's words were received."""
        return sorted((told for _, told in self._newest.values() if told is not None), key=lambda one: (one.r, one.node))
