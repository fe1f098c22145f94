"""Where a source partition goes on, and whether it still is the one that was read before."""

from dataclasses import dataclass

import msgspec
from faust.types import TP

from stream.runtime.fatal import Misfit


class Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a commit says besides its offset; written as JSON into the commit's metadata.

    `changelog` is the changelog's last offset (-1: none), `partitions` the source's partition count, `last` the offset of
    the last record read (-1: none) and `print` its fingerprint, `rules` the hash of the ruleset, `until` the moment (ms) up
    to which a history is taken to be loading.
    """

    changelog: int = -1
    partitions: int = 0
    last: int = -1
    print: str = ""
    rules: str = ""
    until: int = 0


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
_FORMAT = b"\x01"
_HEAD = 9


def mark_row(position: int, mark: Mark) -> bytes:
    """Return the row that says how far a source was read when the rows before it were written."""
    return _FORMAT + position.to_bytes(8, "big") + _encode(mark)


def read_mark_row(row: bytes) -> tuple[int, Mark]:
    """Return the position and the mark of such a row."""
    return int.from_bytes(row[1:_HEAD], "big"), _decode(row[_HEAD:])


@dataclass(frozen=True, slots=True)
class Found:
    """What Kafka holds of a source partition at start.

    `committed` is the group's offset (None: never, or deleted together with the topic), `mark` what it says;
    `stored` is the same from the table, `state_at` the position that an atomic table names (None: it has none).
    `first` and `end` are the partition's present bounds, `changelog` is the last offset of its table's changelog.
    """

    tp: TP
    committed: int | None
    mark: Mark | None
    stored: tuple[int, Mark] | None
    state_at: int | None
    first: int
    end: int
    partitions: int
    changelog: int


@dataclass(frozen=True, slots=True)
class Resume:
    """Read on at `seek`; what lies before `position` is only read to prove `mark`."""

    seek: int
    position: int
    mark: Mark | None = None
    lost: int = 0


def resume(found: Found) -> Resume:
    """Decide where to go on; raises `Misfit` where state and topics do not fit each other."""
    at, mark = _last_known(found)
    position = at if found.state_at is None else found.state_at
    where = f"{found.tp.topic}-{found.tp.partition}"
    if mark is not None and mark.partitions and mark.partitions != found.partitions:
        raise Misfit(
            f"{found.tp.topic} has {found.partitions} partitions, its state was made with {mark.partitions}: "
            "give it those back, or start anew under another APP"
        )
    if mark is not None and mark.changelog > found.changelog:
        raise Misfit(
            f"the changelog of {where} ends at {found.changelog}, the commit says {mark.changelog}: it was recreated or cut; "
            "restore it, or start anew under another APP"
        )
    if position is None:
        return Resume(found.first, found.first)
    if position > found.end:
        raise Misfit(
            f"{where} ends at {found.end}, but was read up to {position}: it was recreated or lost records; "
            "`leadstream topics --adopt` goes on with it"
        )
    if position < found.first:
        return Resume(found.first, found.first, lost=found.first - position)
    if mark is not None and position == at and found.first <= mark.last < position:
        return Resume(mark.last, position, mark)
    return Resume(position, position)


def _last_known(found: Found) -> tuple[int | None, Mark | None]:
    """Return what the group committed, or, where that is gone or says nothing, what the table says."""
    if found.stored is None or (found.committed is not None and found.mark is not None):
        return found.committed, found.mark
    position, mark = found.stored
    return (position, mark) if found.committed in {None, position} else (found.committed, None)


def prove(tp: TP, mark: Mark, offset: int, seen: str) -> None:
    """Raise `Misfit` if another record stands where the last one read stood."""
    if offset == mark.last and seen != mark.print:
        raise Misfit(
            f"{tp.topic}-{tp.partition} holds another record at {offset} than was read there: it was recreated; "
            "`leadstream topics --adopt` goes on with it"
        )
