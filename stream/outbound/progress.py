"""How far a partition is delivered: leads wait for each other's retries not at all, so it is a position and what lies beyond.

The position is committed when all before it is delivered; what is delivered beyond goes into the commit's metadata, a bit a
record, so that a crash repeats only what was on its way. Kept is what is *not* delivered, for that is little: one refused fact
may lie far behind the others.
"""

import base64
import binascii
import zlib
from bisect import bisect_left
from typing import Final

LONGEST: Final = 4_000
"""Characters of metadata; Kafka takes 4,096."""
WAITING: Final = 2_000
"""Records that are read and not delivered; with as many nothing more is read."""
SPAN: Final = 100_000
"""Offsets between the position and the newest that is read. 2,500 records that wait, scattered over them, fit into a note."""
NOTED: Final = SPAN + 500
"""Offsets that a note tells of: a poll may bring 500 records beyond either limit."""


class Progress:
    """One partition: `position` is the first record that is not delivered, `end` the next one to be read."""

    def __init__(self, position: int, note: str = "") -> None:
        """Begin where a commit says: what its note leaves undelivered is known before it is read again."""
        self.end = position
        self._undelivered, self._known = read_note(position, note)  # ascending; from `_known` on nothing is delivered

    @property
    def position(self) -> int:
        """Where to begin after a crash."""
        return self._undelivered[0] if self._undelivered else self._known

    @property
    def waiting(self) -> int:
        """How many records are read and not delivered."""
        return bisect_left(self._undelivered, self.end)

    @property
    def is_full(self) -> bool:
        """Whether too much waits to read on."""
        return self.waiting >= WAITING or self.end - self.position >= SPAN

    def is_done(self, offset: int) -> bool:
        """Tell whether a record needs no delivery."""
        return offset < self._known and self._at(offset) is None

    def look(self, end: int) -> None:
        """Take where the log ends: of a note that tells of more, what is not read yet is about records that were lost."""
        if end < self._known:
            del self._undelivered[self.waiting :]
            self._known = self.end

    def read(self, offset: int) -> None:
        """Note that a record was read, at `end` or beyond; gaps (compaction, retention) are delivered by themselves."""
        del self._undelivered[self.waiting : bisect_left(self._undelivered, offset)]
        if offset >= self._known:
            self._undelivered.append(offset)
            self._known = offset + 1
        self.end = offset + 1

    def done(self, offset: int) -> None:
        """Note that a record is delivered, or lies among the dead letters."""
        if (at := self._at(offset)) is not None:
            del self._undelivered[at]

    def note(self) -> str:
        """Return the metadata of a commit at `position`; as much as fits."""
        position, size = self.position, min(self._known - self.position, NOTED)
        while size:
            bits = bytearray(((1 << size) - 1).to_bytes((size + 7) // 8, "little"))
            for offset in self._undelivered[: bisect_left(self._undelivered, position + size)]:
                bits[(offset - position) // 8] ^= 1 << (offset - position) % 8
            note = _packed(bits.rstrip(b"\0"))
            if len(note) <= LONGEST:
                return note
            size //= 2
        return ""

    def _at(self, offset: int) -> int | None:
        at = bisect_left(self._undelivered, offset)
        return at if self._undelivered[at : at + 1] == [offset] else None


def read_note(position: int, note: str) -> tuple[list[int], int]:
    """Return the offsets that a commit's metadata leaves undelivered, and the first of which it says nothing.

    One that cannot be read says nothing: all is delivered again.
    """
    try:
        bits = zlib.decompressobj().decompress(base64.b64decode(note, validate=True), NOTED // 8 + 1) if note else b""
    except (binascii.Error, ValueError, zlib.error):
        bits = b""
    known = int.from_bytes(bits, "little").bit_length()
    return [position + at for at in range(known) if not bits[at // 8] >> at % 8 & 1], position + known


def _packed(bits: bytes | bytearray) -> str:
    """Pack by run lengths: as small as by a search for repeats, of which there are few, and a hundred times as fast."""
    if not bits:
        return ""
    packer = zlib.compressobj(strategy=zlib.Z_RLE)
    return base64.b64encode(packer.compress(bits) + packer.flush()).decode()
