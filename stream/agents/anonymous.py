"""Visitors whom nobody listens to, handed on to the accounts they count for: each once a tick, however often it came."""

from collections import deque
from functools import lru_cache
from typing import TYPE_CHECKING

from stream.domain.accounts.member import account_of, visitor_id, visitor_member
from stream.domain.event import Company
from stream.domain.log import Member, Members, encode
from stream.domain.state import NEVER, State
from stream.domain.visitor import Visitor
from stream.runtime.lanes import Message
from stream.runtime.producer import partition_of

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from stream.runtime.flow import Flow
    from stream.runtime.rows import RowPart

AT_ONCE = 2_000
"""How many visitors one tick hands on; a checkpoint all."""

partition_of_account = lru_cache(maxsize=100_000)(partition_of)
"""murmur2 in Python costs what all else does here."""


def counted_in(row: Visitor | None) -> Company | str | None:
    """Return by what a visitor counts for an account here: its company, or a group's account; None where somebody listens.

    The account's name is made only where it may have changed: nearly every event leaves it as it is.
    """
    if row is None or row.listened:
        return None
    state = row.state
    return account_of(state) if state.groups else state.account


class Waiting:
    """What one open partition has to say to accounts."""

    def __init__(self) -> None:
        self.visitors: dict[bytes, None] = {}
        self.left: list[Members] = []
        self.sent: list[asyncio.Future[None]] = []
        self._unproven: deque[tuple[int, list[asyncio.Future[None]]]] = deque()
        self._proven = NEVER

    def handed_on(self, until: int) -> int:
        """Return up to when everything handed on is acknowledged, of what was received up to `until` (ms)."""
        if not self.visitors:
            self._unproven.append((until, self.sent))
            self.sent = []
        while self._unproven and all(sent.done() for sent in self._unproven[0][1]):
            self._proven = self._unproven.popleft()[0]
        return min(until, self._proven)


class Anonymous:
    """Part of the visitors' agent.

    Args:
        flow: where messages are put.
        topic: `members`.
        floor: gives the floor of interest that holds in a partition.
    """

    def __init__(self, flow: "Flow", topic: str, floor: "Callable[[RowPart[Visitor]], float]") -> None:
        self._flow, self._topic, self._floor = flow, topic, floor
        self._waiting: dict[int, Waiting] = {}

    def open(self, part: "RowPart[Visitor]") -> None:
        """Begin with a partition that was opened: each of its checkpoints takes with it what waits."""
        self._waiting[part.changelog.partition] = Waiting()
        part.taking = lambda: self._hand_on(part, None)

    def note(self, part: "RowPart[Visitor]", key: bytes, was: Company | str | None, row: Visitor) -> None:
        """Remember a row that an event changed, which counted by `was`; it leaves its account at the event that says so."""
        now = counted_in(row)
        if was is not None and was is not now:
            account = was if isinstance(was, str) else account_of(State(account=was))
            if account != account_of(row.state):
                self._leave(part, key, row, Members(account, row.state.as_of, []))
        if now is not None:
            self._waiting[part.changelog.partition].visitors[key] = None

    def let_go(self, part: "RowPart[Visitor]", key: bytes, r: int, code: str) -> None:
        """Let a visitor whose row goes leave its account; `code` is why, `r` (ms) when, no earlier than it was last seen."""
        row = part.get(key)
        if row is not None and counted_in(row) is not None:
            self._leave(part, key, row, Members(account_of(row.state), max(r, row.state.as_of), [], code))

    def _leave(self, part: "RowPart[Visitor]", key: bytes, row: Visitor, told: Members) -> None:
        told.changed.append(Member(visitor_id(key.decode()), row.position, left=True))
        self._waiting[part.changelog.partition].left.append(told)

    def tick(self, part: "RowPart[Visitor]", until: int) -> int:
        """Hand on what waits, and return up to when all of it is acknowledged, of what was received up to `until` (ms)."""
        self._hand_on(part, AT_ONCE)
        return self._waiting[part.changelog.partition].handed_on(until)

    def _hand_on(self, part: "RowPart[Visitor]", limit: int | None) -> None:
        waiting = self._waiting[part.changelog.partition]
        if not waiting.visitors and not waiting.left:
            return
        messages: dict[int, list[Message]] = {}
        count = self._flow.counts[self._topic]
        for told in [*waiting.left, *self._members(part, waiting, limit)]:
            key = told.account.encode()
            message = Message(key, encode(told))
            messages.setdefault(partition_of_account(key, count), []).append(message)
        waiting.left = []
        for partition, some in messages.items():
            acknowledged = self._flow.outbox.put(self._topic, partition, some)
            part.sent(acknowledged)
            waiting.sent.append(acknowledged)

    def _members(self, part: "RowPart[Visitor]", waiting: Waiting, limit: int | None) -> list[Members]:
        keys, floor, found = list(waiting.visitors)[:limit], self._floor(part), []
        for key in keys:
            del waiting.visitors[key]
            row = part.get(key)
            if row is None or counted_in(row) is None:
                continue
            member = visitor_member(visitor_id(key.decode()), row.state, row.position, floor)
            found.append(Members(account_of(row.state), row.state.as_of, [member]))
        return found
