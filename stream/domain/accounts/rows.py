"""The rows of the `accounts` table: accounts, their members and the log's own row, in memory and as bytes.

A row is a format byte, its position in the log (8 bytes, big endian), a flag and msgpack: what must be known of all rows when a
worker starts stands in the flag, so that it need not read them.
"""

from collections.abc import Iterator, MutableMapping

import msgspec

from stream.domain.accounts.account import Account
from stream.domain.accounts.sums import is_plain
from stream.domain.head import LENGTH, head_at
from stream.domain.log import Member
from stream.domain.ownrows import LogRow, OwnRows
from stream.domain.stages import VISITOR

LEAD, CHANGING = 1, 2
"""Flags of a member's row: it is a lead's; it will count otherwise at some instant."""
STANDING = 1
"""The flag of an account that stands in a stage."""
_BODY = LENGTH + 1
_encoder = msgspec.msgpack.Encoder()
_accounts = msgspec.msgpack.Decoder(Account)
_members = msgspec.msgpack.Decoder(Member)


class AccountRows(OwnRows):
    r"""Accounts `a:ACCOUNT` and members `m:ACCOUNT\0MEMBER`, decoded on touch, encoded at the cut."""

    table = "accounts"

    def __init__(self, stored: MutableMapping[bytes, bytes]) -> None:
        super().__init__(stored)
        self.leads: dict[str, set[str]] = {}
        """The leads of each account."""
        self.changing: dict[str, set[str]] = {}
        """The members of each account that will count otherwise at some instant."""
        self.standing: set[str] = set()
        """The accounts that stand in a stage."""
        self._changed: dict[bytes, Account | Member] = {}
        for key, row in stored.items():
            if row[LENGTH:_BODY] > b"\x00" and key[:2] in (b"a:", b"m:"):
                self._index(key, row[LENGTH])

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
        return None if data is None else self.decoded(_accounts, data, _BODY)

    def member(self, account: str, id_: str) -> Member | None:
        """Return what an account knows of a member, also of one that left."""
        key = _key(account, id_)
        known = self._changed.get(key)
        if isinstance(known, Member):
            return known
        data = self.stored.get(key)
        return None if data is None else self.decoded(_members, data, _BODY)

    def keep(self, account: Account) -> None:
        """Remember an account as changed since the last cut."""
        self._mark(b"a:" + account.id.encode(), account)

    def keep_member(self, account: str, member: Member) -> None:
        """Remember a member as changed since the last cut."""
        self._mark(_key(account, member.id), member)

    def _mark(self, key: bytes, row: Account | Member) -> None:
        if key not in self._changed:
            self.marked(key)
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
        head = head_at(log.next)
        rows = [(key, head + _body(row)) for key, row in self._changed.items()]
        rows += self.cut_own(log)
        self.stored.update(rows)
        self._changed.clear()
        self.size = 0
        return rows


def _key(account: str, member: str) -> bytes:
    return f"m:{account}\0{member}".encode()


def _body(row: Account | Member) -> bytes:
    return bytes((_flag(row),)) + _encoder.encode(row)


def _flag(row: Account | Member) -> int:
    if isinstance(row, Account):
        return STANDING if row.stage != VISITOR.name else 0
    return 0 if row.left else LEAD * row.lead | CHANGING * (not is_plain(row))
