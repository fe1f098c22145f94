"""A visitor's row and its bytes: what one source identity did, in decayed sums, and how far its partition was read."""

import msgspec

from stream.domain.head import FORMAT
from stream.domain.log import Unreadable
from stream.domain.person import Cut
from stream.domain.ruleset.model import Ruleset
from stream.domain.state import State


class Row(msgspec.Struct, array_like=True, gc=False):
    """The row's own book-keeping beside the state it hands on."""

    state: State = msgspec.field(default_factory=State)
    listened: bool = False
    recent: bytes = b""
    caps: dict[str, dict[int, float]] = {}
    forwarded: dict[int, int] = {}
    replayed: dict[str, list[int]] = {}


class Visitor(Row):
    """A row with its position: `(epoch << 48) | (offset + 1)` of the last applied record, 0 for none."""

    position: int = 0
    links: dict[str, str] | None = None
    """The last `LINKS` identities that its events named, with their kinds: a resync tells them again."""
    erased: tuple[int, int] | None = None
    """The newest erasure it applied: the place of its word in `people`, and its instant (ms); what happened before is gone."""
    said: tuple[int, list[Cut], int] | None = None
    """What an operator's newest word left of it, as `log.Said`: its place, what keeps it apart, up to when it is unshared."""
    kind: str = ""
    """What the word lists said of it last (`email_kind` or `phone_kind`): a resync tells it again."""

    @property
    def erased_at(self) -> int:
        """The place of the newest erasure it applied, 0 for none."""
        return 0 if self.erased is None else self.erased[0]


def is_forgotten(row: Visitor, at: int, rules: Ruleset) -> bool:
    """Tell whether at an instant a row lies behind the idle horizon: whatever comes then begins anew."""
    return not row.listened and at - row.state.as_of > rules.idle_horizon_ms


def anew(row: Visitor) -> Visitor:
    """Return the row of a new life: how far its partition was read, and what was taken by other ways, is no memory of ours."""
    return Visitor(forwarded=row.forwarded, replayed=row.replayed, position=row.position, erased=row.erased)


# What is done to every row spells out `head.LENGTH`, 9, and the byte behind the flags, 10: a name costs a look-up each time.

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Visitor)


def encode(row: Visitor) -> bytes:
    """Return the row's bytes: format, position (8 bytes, big endian), flags, msgpack.

    Rows of a key compare by position without decoding; the flags byte (1: listened) is or-ed over all of them, because a
    wake has no position of its own.
    """
    position, row.position = row.position, 0
    body = _encoder.encode(row)
    row.position = position
    return FORMAT + position.to_bytes(8, "big") + (b"\x01" if row.listened else b"\x00") + body


class _Clock(msgspec.Struct, array_like=True, gc=False):
    as_of: int


class _Head(msgspec.Struct, array_like=True, gc=False):
    state: _Clock


_head = msgspec.msgpack.Decoder(_Head)


def seems_forgotten(data: bytes, at: int, rules: Ruleset) -> bool:
    """Tell `is_forgotten` of a row as it is stored, for a tenth of the price of reading it whole."""
    return data[9] == 0 and at - _head.decode(memoryview(data)[10:]).state.as_of > rules.idle_horizon_ms


def decode(data: bytes) -> Visitor:
    """Return the row in `data`; raises `Unreadable`."""
    if data[:1] != FORMAT:
        raise Unreadable(f"row of format {data[:1].hex() or 'none'}: this release reads format {FORMAT.hex()}")
    try:
        row = _decoder.decode(data[10:])  # to copy a row costs less than two views of it
    except msgspec.MsgspecError as error:
        raise Unreadable(f"row cannot be read: {error}") from error
    row.position = int.from_bytes(data[1:9], "big")
    row.listened = data[9] == 1
    return row
