"""The rows that every fold's table has beside its subjects': how far its log was read, and the rulesets that hold."""

from collections.abc import MutableMapping
from typing import Final, TypeVar

import msgspec

from stream.domain import editions
from stream.domain.editions import Edition, Editions
from stream.domain.head import FORMAT, LENGTH, head_at
from stream.domain.log import Unreadable
from stream.domain.state import NEVER

T = TypeVar("T")
META: Final = b"\x00log"
"""The key of the log's own row."""
RULESET: Final = b"\x00ruleset"
"""The key of the row that holds the ruleset in force and those before it."""
CUT_BYTES: Final = 512 * 1024
"""A cut is appended whole or not at all, so it must fit one record batch: this, and what one more record changes."""
NEW_ROW: Final = 512
"""Bytes that a row takes which was never stored, beside what the record brings that made it."""
OLD_ROW: Final = 64
"""Bytes that one takes which was, beside what it was and what records bring."""


class LogRow(msgspec.Struct, array_like=True):
    """Where the log goes on, and the newest tick (ms) of every partition.

    `run` is the newest resync that followed a loss, `settling` the partitions whose sums it still waits for, `words` what was
    decided about the newest words of an operator (`stream.domain.words`), `told` how far the leads were told to accounts anew.
    `numbers` is the greatest number that a fact of a table that was lost before this one may have, `aging` the clock (ms) up to
    which names of accounts are growing old where that takes more than one record: the clock may go back meanwhile.
    """

    next: int = 0
    ticks: dict[int, int] = {}
    run: str = ""
    settling: list[int] = []
    words: dict[str, str] = {}
    told: str = ""
    numbers: int = 0
    aging: int = NEVER


_encoder = msgspec.msgpack.Encoder()
_logs = msgspec.msgpack.Decoder(LogRow)


class OwnRows:
    """A fold's own rows in its `table`; `size` is how many bytes the next cut takes, at most."""

    table = ""

    def __init__(self, stored: MutableMapping[bytes, bytes]) -> None:
        self.stored = stored
        self.size = 0
        self._editions: Editions | None = None

    def editions(self, text: bytes) -> Editions:
        """Return the rulesets that were and are in force; an empty table takes `text`."""
        stored = self.stored.get(RULESET)
        if stored is not None:
            return editions.read(stored)
        first = Editions([Edition(0, NEVER, text)])
        self.keep_editions(first)
        return first

    def marked(self, key: bytes) -> None:
        """Count a row that changes for the first time since the last cut."""
        stored = self.stored.get(key)
        self.size += len(key) + (NEW_ROW if stored is None else OLD_ROW + len(stored))

    def applied(self, record: bytes) -> None:
        """Count a record of the log: by so much its rows may have grown."""
        if self.size:
            self.size += len(record)

    @property
    def fill_a_cut(self) -> bool:
        """Whether a record that changes many rows had better stop in the middle, for a cut."""
        return self.size > CUT_BYTES

    def keep_editions(self, changed: Editions) -> None:
        """Remember that the ruleset in force changed."""
        self._editions = changed
        self.size += sum(NEW_ROW + len(edition.text) for edition in changed.held)

    def log(self) -> LogRow:
        """Return the log's own row, a new one in an empty table."""
        data = self.stored.get(META)
        return LogRow() if data is None else self.decoded(_logs, data)

    def decoded(self, decoder: "msgspec.msgpack.Decoder[T]", data: bytes, at: int = LENGTH) -> T:
        """Return what a row holds from a byte on; raises `Unreadable`."""
        if data[:1] != FORMAT:
            found = data[:1].hex() or "none"
            raise Unreadable(f"{self.table} row of format {found}: this release reads format {FORMAT.hex()}")
        try:
            return decoder.decode(data[at:])  # a row is small: its copy costs a third of a view of it
        except msgspec.MsgspecError as error:
            raise Unreadable(f"{self.table} row cannot be read: {error}") from error

    def cut_own(self, log: LogRow) -> list[tuple[bytes, bytes]]:
        """Return the rulesets' row where it changed, and the log's own, which is the last of a cut."""
        changed, self._editions = self._editions, None
        rulesets = [] if changed is None else [(RULESET, head_at(log.next) + editions.body(changed))]
        return [*rulesets, (META, log_row(log))]


def log_row(log: LogRow) -> bytes:
    """Return the bytes of a log's own row."""
    return head_at(log.next) + _encoder.encode(log)
