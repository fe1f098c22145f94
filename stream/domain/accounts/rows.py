"""The rows of the `accounts` table: accounts, their members and the log's own row, in memory and as bytes.

A row is a format byte, its position in the log (8 bytes, big endian), a flag and msgpack: what must be known of all rows when a
worker starts stands in the flag, so that it need not read them.
"""

from collections.abc import Iterator, MutableMapping
from typing import TypeVar

import msgspec

from stream.domain import editions
from stream.domain.accounts.account import Account
from stream.domain.accounts.sums import is_plain
from stream.domain.editions import Edition, Editions
from stream.domain.log import FORMAT, Member, Unreadable
from stream.domain.rows import META, RULESET, LogRow
from stream.domain.stages import VISITOR
from stream.domain.state import NEVER

T = TypeVar("T")
LEAD, CHANGING = 1, 2
"""Flags of a member's row: it is a lead's; it will count otherwise at some instant."""
STANDING = 1
"""The flag of an account that stands in a stage."""
_HEAD = len(FORMAT) + 8
_BODY = _HEAD + 1
NEW_ROW = 512
"""Bytes that a row may have grown by since it was stored, about."""
_encoder = msgspec.msgpack.Encoder()
_accounts = msgspec.msgpack.Decoder(Account)
_members = msgspec.msgpack.Decoder(Member)
_logs = msgspec.msgpack.Decoder(LogRow)


class AccountRows:
    r"""Accounts `a:ACCOUNT` and members `m:ACCOUNT\0MEMBER`, decoded on touch, encoded at the cut."""

    def __init__(self, stored: MutableMapping[bytes, bytes]) -> None:
        self.stored = stored
        self.size = 0
        self.leads: dict[str, set[str]] = {}
        """The leads of each account."""
        self.changing: dict[str, set[str]] = {}
        """The members of each account that will count otherwise at some instant."""
        self.standing: set[str] = set()
        """The accounts that stand in a stage."""
        self._changed: dict[bytes, Account | Member] = {}
        self._editions: Editions | None = None
        for key, row in stored.items():
            if row[_HEAD:_BODY] > b"\x00" and key[:2] in (b"a:", b"m:"):
                self._index(key, row[_HEAD])

    def _index(self, key: bytes, flag: int) -> None:
        account, _, member = key[2:].decode().partition("\0")
        if key[:1] == b"a":
            self._hold(self.standing, account, held=flag == STANDING)
            return
        for index, bit in ((self.leads, LEAD), (self.changing, CHANGING)):
            members = index.setdefault(account, set())
            self._hold(members, member, held=bool(flag & bit))
            if not members:
                del index[account]

    @staticmethod
    def _hold(names: set[str], name: str, *, held: bool) -> None:
        if held:
            names.add(name)
        else:
            names.discard(name)

    def account(self, id_: str) -> Account | None:
        """Return a known account."""
        key = b"a:" + id_.encode()
        known = self._changed.get(key)
        if isinstance(known, Account):
            return known
        data = self.stored.get(key)
        return None if data is None else _read(_accounts, data)

    def member(self, account: str, id_: str) -> Member | None:
        """Return what an account knows of a member, also of one that left."""
        key = _key(account, id_)
        known = self._changed.get(key)
        if isinstance(known, Member):
            return known
        data = self.stored.get(key)
        return None if data is None else _read(_members, data)

    def keep(self, account: Account) -> None:
        """Remember an account as changed since the last cut."""
        self._mark(b"a:" + account.id.encode(), account)

    def keep_member(self, account: str, member: Member) -> None:
        """Remember a member as changed since the last cut."""
        self._mark(_key(account, member.id), member)

    def _mark(self, key: bytes, row: Account | Member) -> None:
        if key not in self._changed:
            self.size += len(key) + len(self.stored.get(key, b"")) + NEW_ROW
        self._changed[key] = row
        self._index(key, _flag(row))

    def ids(self) -> Iterator[str]:
        """Yield the id of every account; the rows may change meanwhile."""
        new = [key for key in self._changed if key not in self.stored]
        for key in [*self.stored, *new]:
            if key[:2] == b"a:":
                yield key[2:].decode()

    def cut(self, log: LogRow) -> list[tuple[bytes, bytes]]:
        """Return the changed rows as bytes, the log's own last; what was decoded is dropped."""
        head = FORMAT + log.next.to_bytes(8, "big")
        rows = [(key, head + _body(row)) for key, row in self._changed.items()]
        if self._editions is not None:
            rows.append((RULESET, head + editions.body(self._editions)))
            self._editions = None
        rows.append((META, head + _encoder.encode(log)))
        self.stored.update(rows)
        self._changed.clear()
        self.size = 0
        return rows

    def editions(self, text: bytes) -> Editions:
        """Return the rulesets that were and are in force; an empty table takes `text`."""
        stored = self.stored.get(RULESET)
        if stored is not None:
            return editions.read(stored)
        first = Editions([Edition(0, NEVER, text)])
        self.keep_editions(first)
        return first

    def keep_editions(self, changed: Editions) -> None:
        """Remember that the ruleset in force changed."""
        self._editions = changed
        self.size += sum(len(edition.text) for edition in changed.held)

    def log(self) -> LogRow:
        """Return the log's own row, a new one in an empty table."""
        data = self.stored.get(META)
        return LogRow() if data is None else _decoded(_logs, data, _HEAD)


def _key(account: str, member: str) -> bytes:
    return f"m:{account}\0{member}".encode()


def _body(row: Account | Member) -> bytes:
    return bytes((_flag(row),)) + _encoder.encode(row)


def _flag(row: Account | Member) -> int:
    if isinstance(row, Account):
        return STANDING if row.stage != VISITOR.name else 0
    return 0 if row.left else LEAD * row.lead | CHANGING * (not is_plain(row))


def _read(decoder: "msgspec.msgpack.Decoder[T]", data: bytes) -> T:
    return _decoded(decoder, data, _BODY)


def _decoded(decoder: "msgspec.msgpack.Decoder[T]", data: bytes, at: int) -> T:
    if data[:1] != FORMAT:
        raise Unreadable(f"accounts row of format {data[:1].hex() or 'none'}: this release reads format {FORMAT.hex()}")
    try:
        return decoder.decode(memoryview(data)[at:])
    except msgspec.MsgspecError as error:
        raise Unreadable(f"accounts row cannot be read: {error}") from error
