"""Graves of visitors: what is left of a row that was erased, and the new life that may rise from it."""

from collections.abc import Collection

from stream.domain.ids import is_device
from stream.domain.state import State
from stream.domain.visitor.row import Visitor


def bury(row: Visitor | None, place: int, r: int, position: int) -> Visitor:
    """Return the grave of a row: what keeps a repeat one, whether somebody listens, and from when on it may live again."""
    row = row or Visitor()
    return Visitor(
        State(as_of=r), listened=row.listened, recent=row.recent, forwarded=row.forwarded, replayed=row.replayed,
        position=position, erased=(place, r),
    )  # fmt: skip


def rise(grave: Visitor) -> Visitor:
    """Return the row of a new life out of a grave, which stays as it is."""
    replayed = {topic: list(taken) for topic, taken in grave.replayed.items()}
    return Visitor(
        State(as_of=grave.state.as_of), listened=grave.listened, recent=grave.recent, forwarded=dict(grave.forwarded),
        replayed=replayed, position=grave.position, erased=grave.erased,
    )  # fmt: skip


def is_erased(row: Visitor, t: int) -> bool:
    """Tell whether an event of `t` (ms) is from before the row's erasure."""
    return row.erased is not None and t < row.erased[1]


def disown(node: str, row: Visitor, others: Collection[str], position: int) -> bool:
    """Let the row of `node` forget that its events named others, at the position of their erasure; tell whether they had.

    What was told on a device while it named them goes, too: it may be about them. A row that has read on since did so before:
    whom it names now, it named later.
    """
    if row.position >= position:
        return False
    named = [other for other in row.links or () if other in others]
    for other in named:
        del (row.links or {})[other]
    if named:
        row.position = position
        if is_device(node):
            row.state.traits = {}
    return bool(named)
