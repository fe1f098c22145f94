"""Where a source partition goes on, and whether it still is the one that was read before."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from stream.domain.head import EPOCH_BITS, OFFSETS, body_of, head_at, position_of
from stream.runtime.misfits import (
    CHANGELOG_CUT,
    CHANGELOG_LOST,
    DELETED,
    FOLD_CUT,
    FOLD_LOST,
    FOLD_UNDONE,
    OTHER_RECORD,
    RECREATED,
    REPARTITIONED,
    misfit,
)

if TYPE_CHECKING:  # a worker asks whose its topics are while Faust is still imported
    from faust.types import TP

UNMET = 1 << 62
"""A changelog offset that none has: under a mark that says so no worker reads on."""


class Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a commit says besides its offset; written as JSON into the commit's metadata.

    `changelog` is the changelog's last offset (-1: none), `partitions` the source's partition count, `last` the offset of
    the last record read (-1: none) and `print` its fingerprint, `rules` the hash and `place` the place of the ruleset,
    `until` the moment (ms) up to which a history is taken to be loading. `epoch` counts how often the source was recreated,
    `turn` how often an operator let it go on elsewhere, `begin` is the changelog's first offset as far as that is accepted.
    """

    changelog: int = -1
    partitions: int = 0
    last: int = -1
    print: str = ""
    rules: str = ""
    until: int = 0
    place: int = 0
    epoch: int = 0
    turn: int = 0
    begin: int = 0


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Mark).decode


def write_mark(mark: Mark) -> str:
    """Return the mark as commit metadata."""
    return _encode(mark).decode()


def read_mark(metadata: str) -> Mark | None:
    """Return the mark in commit metadata; None if somebody else committed."""
    try:
        return _decode(metadata.encode())
    except msgspec.DecodeError:
        return None


MARK_KEY = b"\x00mark:"
"""Before the source's name: the key of the row that repeats the commit in the table, behind the rows it stands for."""


def mark_row(position: int, mark: Mark) -> bytes:
    """Return the row that says how far a source was read when the rows before it were written.

    Of several the greatest counts: an operator's turn goes before all positions.
    """
    return head_at(mark.turn << EPOCH_BITS | position) + _encode(mark)


def read_mark_row(row: bytes) -> tuple[int, Mark]:
    """Return the position and the mark of such a row."""
    return position_of(row) & OFFSETS, _decode(body_of(row))


def other_source(keys: Collection[bytes], own: Iterable[str]) -> str | None:
    """Return what the rows of a changelog partition were made from, if that is none of our sources.

    One mark of ours settles it: all keys are looked at in a table only that is new here.
    """
    if any(MARK_KEY + topic.encode() in keys for topic in own):
        return None
    return next((key[len(MARK_KEY) :].decode() for key in keys if key.startswith(MARK_KEY)), None)


@dataclass(frozen=True, slots=True)
class Found:
    """What Kafka holds of a source partition at start.

    `committed` is the group's offset (None: never, or deleted together with the topic), `mark` what it says;
    `stored` is the same from the table, `state_at` the position (with its epoch) that an atomic table names, None before
    its first cut. `first` and `end` are the partition's present bounds, `begin` and `changelog` the first and the last
    offset of its table's changelog; `fold` says that this is an atomic table.
    """

    tp: "TP"
    committed: int | None
    mark: Mark | None
    stored: tuple[int, Mark] | None
    state_at: int | None
    first: int
    end: int
    partitions: int
    changelog: int
    begin: int = 0
    fold: bool = False


@dataclass(frozen=True, slots=True)
class Resume:
    """Read on at `seek`, in `epoch`; what lies before `position` is only read to prove `mark`.

    `said` is the mark that counts, `None` for a source never read.
    """

    seek: int
    position: int
    mark: Mark | None = None
    epoch: int = 0
    said: Mark | None = field(default=None, compare=False)


def resume(found: Found) -> Resume:
    """Decide where to go on; raises `Misfit` where state and topics do not fit each other."""
    at, mark = last_known(found)
    said = mark or Mark()
    if said.partitions and said.partitions != found.partitions:
        raise misfit(REPARTITIONED, topic=found.tp.topic, partitions=found.partitions, had=said.partitions)
    _look_at_changelog(found, said)
    epoch, position = furthest(found, at, said)
    if position is None:
        return Resume(found.first, found.first, epoch=epoch, said=mark)
    where = f"{found.tp.topic}-{found.tp.partition}"
    if position > found.end:
        raise misfit(RECREATED, where=where, end=found.end, position=position)
    if position < found.first:
        raise misfit(DELETED, where=where, position=position, first=found.first, lost=found.first - position)
    if mark is not None and position == at and found.first <= mark.last < position:
        return Resume(mark.last, position, mark, epoch, mark)
    return Resume(position, position, epoch=epoch, said=mark)


def last_known(found: Found) -> tuple[int | None, Mark | None]:
    """Return what the group committed, or, where that is gone, older than an operator's turn or says nothing, the table.

    A commit that says nothing may lie behind the table, after a crash on a broker that keeps no metadata. Before the table it
    is not ours: somebody else read under our name, and what he read we have not.
    """
    if found.stored is None:
        return found.committed, found.mark
    position, mark = found.stored
    if found.committed is not None and found.mark is not None and found.mark.turn >= mark.turn:
        return found.committed, found.mark
    behind = found.committed is not None and found.mark is None and mark.turn == 0 and found.committed < position
    return (found.committed, None) if behind else (position, mark)


def whole_up_to(found: Found) -> int:
    """Return the last offset up to which a changelog is what was written there; -1: none.

    A commit's mark is written into it before the commit is made. One that is not there went with the log or with its tail, and
    what lies behind the newest that is there came later, from a worker that noticed by its acknowledgement.
    """
    at, held = found.stored or (-1, Mark())
    there = found.committed is None or found.mark is None or (held.turn, at) >= (found.mark.turn, found.committed)
    return found.changelog if there else min(held.changelog, found.changelog)


def _look_at_changelog(found: Found, said: Mark) -> None:
    where, whole = f"{found.tp.topic}-{found.tp.partition}", whole_up_to(found)
    if said.changelog > whole:
        lost = CHANGELOG_LOST if not found.fold else FOLD_UNDONE if said.changelog == UNMET else FOLD_LOST
        raise misfit(lost, where=where, end=whole, said=said.changelog)
    if found.begin > said.begin:
        raise misfit(FOLD_CUT if found.fold else CHANGELOG_CUT, where=where, first=found.begin, said=said.begin)


def furthest(found: Found, at: int | None, said: Mark) -> tuple[int, int | None]:
    """Return the epoch and offset that are furthest: a cut may be written whose commit is not, never the other way round."""
    if found.state_at is None:
        return said.epoch, at
    cut = found.state_at >> EPOCH_BITS, found.state_at & OFFSETS
    return cut if at is None else max(cut, (said.epoch, at))


def prove(tp: "TP", mark: Mark, offset: int, seen: str) -> None:
    """Raise `Misfit` if another record stands where the last one read stood."""
    if offset == mark.last and seen != mark.print:
        raise misfit(OTHER_RECORD, where=f"{tp.topic}-{tp.partition}", offset=offset)
