"""Operators' words that come before all sums of people who were lost are back: they wait, and are decided in their order.

A lead that stands again has whom it had when the CRM was told of it last. An erasure, a link or an unlink must meet all of
them, and the people's clock.
"""

from typing import Final

import msgspec

from stream.domain import words
from stream.domain.log import Erasing, Linking, Unlinking
from stream.domain.ownrows import CUT_BYTES, LogRow
from stream.domain.rows import Rows

WAITING: Final = b"\x00waiting"
"""The key of the row that keeps them."""
ROOM: Final = CUT_BYTES // 4
"""Bytes of words that may wait: about a thousand."""
FULL: Final = "too much waits until all that was lost is back: nothing is done; say it again then"

_encoder = msgspec.msgpack.Encoder()
_words = msgspec.msgpack.Decoder(list[bytes])


class Waiting:
    """The words that wait, as they stand in the log; true while there is one."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        body = rows.other(WAITING)
        self._words = [] if body is None else _words.decode(body)

    def __bool__(self) -> bool:
        return bool(self._words)

    def add(self, said: Erasing | Linking | Unlinking, value: bytes, log: LogRow) -> None:
        """Let a word wait, once though it was said twice; one too many is decided: nothing is done."""
        if value in self._words:
            return
        if sum(map(len, self._words)) + len(value) > ROOM:
            words.decide(log, said.word, FULL, done=False)
            return
        self._keep([*self._words, value])

    def take(self) -> bytes:
        """Return the first of them, which waits no more."""
        first, *rest = self._words
        self._keep(rest)
        return first

    def _keep(self, changed: list[bytes]) -> None:
        self._words = changed
        self._rows.keep_other(WAITING, _encoder.encode(changed))
