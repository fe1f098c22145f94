"""How far a partition is delivered: leads wait for each other's retries not at all, so it is a position and what lies beyond.

The position is committed when all before it is delivered; what is delivered beyond goes into the commit's metadata, a bit a
record, so that a crash repeats only what was on its way.
"""

import base64
import binascii
import zlib
from typing import Final

LONGEST: Final = 4_000
"""Characters of metadata; Kafka takes 4,096."""
WINDOW: Final = 2_000
"""Records between the position and the newest that is read."""


class Progress:
    """One partition: `position` is the first record that is not delivered, `end` the next one to be read."""

    def __init__(self, position: int, note: str = "") -> None:
        """Begin where a commit says."""
        self.position = self.end = position
        self._done = read_note(position, note)

    def is_done(self, offset: int) -> bool:
        """Tell whether a record needs no delivery."""
        return offset < self.position or offset in self._done

    def read(self, offset: int) -> None:
        """Note that a record was read; gaps (compaction, transactions) are delivered by themselves."""
        if self.position == self.end != offset:
            self._begin_at(offset)
        self._done.update(range(self.end, offset))
        self.end = max(self.end, offset + 1)
        self._advance()

    def _begin_at(self, offset: int) -> None:
        """Go where the topic goes on while nothing waits: records were deleted, or it was made anew and begins before."""
        self._done = {each for each in self._done if each >= offset} if offset > self.position else set()
        self.position = self.end = offset

    def done(self, offset: int) -> None:
        """Note that a record is delivered, or lies among the dead letters."""
        self._done.add(offset)
        self._advance()

    @property
    def is_full(self) -> bool:
        """Whether too much waits to read on."""
        return self.end - self.position >= WINDOW

    @property
    def waiting(self) -> int:
        """How many records are read and not delivered."""
        return self.end - self.position - sum(1 for offset in self._done if offset < self.end)

    def note(self) -> str:
        """Return the metadata of a commit at `position`; as much as fits."""
        beyond = sorted(offset for offset in self._done if offset < self.end)
        while beyond:
            bits = bytearray((beyond[-1] - self.position) // 8 + 1)
            for offset in beyond:
                bits[(offset - self.position) // 8] |= 1 << (offset - self.position) % 8
            note = base64.b64encode(zlib.compress(bytes(bits), 9)).decode()
            if len(note) <= LONGEST:
                return note
            del beyond[len(beyond) // 2 :]
        return ""

    def _advance(self) -> None:
        while self.position < self.end and self.position in self._done:
            self._done.discard(self.position)
            self.position += 1


def read_note(position: int, note: str) -> set[int]:
    """Return the offsets in a commit's metadata; none where it cannot be read: then they are delivered again."""
    try:
        unpacker = zlib.decompressobj()
        bits = unpacker.decompress(base64.b64decode(note, validate=True), WINDOW // 8 + 1) if note else b""
    except (binascii.Error, ValueError, zlib.error):
        return set()
    return {position + at * 8 + bit for at, byte in enumerate(bits) for bit in range(8) if byte >> bit & 1}
