"""An account while it is worked on: its sums, moved from one instant at which a member begins to count otherwise to the next."""

from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush
from typing import cast

from stream.domain.accounts.account import Account
from stream.domain.accounts.score import AccountScore
from stream.domain.accounts.sums import PLAIN, Shape, changes_at, shape
from stream.domain.crossing import END
from stream.domain.log import Member

MemberOf = Callable[[str], Member | None]


class Live:
    """Sums that may be ahead of their account's row: what is stored is right at the row's `as_of`, what is here until `until`.

    Args:
        account: the row.
        changing: the members that will count otherwise at some instant.
        member_of: gives a member by its id.
    """

    def __init__(self, account: Account, changing: Iterable[str], member_of: MemberOf) -> None:
        self.sums, self._is_stored, self._member_of = account.sums, True, member_of
        self.at = account.as_of
        """All that is due up to this instant (ms) was looked at."""
        self.passed = account.as_of
        """The newest instant whose changes the sums have."""
        self._shapes: dict[str, Shape] = {}
        self._due: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []
        self._idled: tuple[int, int] = (0, 0)
        self._before: Callable[[float], AccountScore] | None = None
        for id_ in changing:
            member = cast("Member", member_of(id_))
            self._watch(id_, member, shape(member, self.at))
        heapify(self._heap)

    @property
    def next(self) -> int:
        """The first instant at which a member may count otherwise; after all others where none does."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else END

    @property
    def is_changing(self) -> bool:
        """Whether any member will count otherwise."""
        return bool(self._due)

    def score(self, anonymous: float) -> AccountScore:
        """Return the score until `next`."""
        before = None if self._before is None else self._before(anonymous)
        return AccountScore(self.sums, anonymous, self.next, self._idled, before)

    def store(self, account: Account, at: int) -> None:
        """Let the account's row have these sums, right at `at`."""
        account.sums, self._is_stored = self.sums, True
        account.as_of = self.at = self.passed = max(account.as_of, at)

    def replace(self, id_: str, old: Member | None, new: Member) -> None:
        """Let what a member brings be something else from now on."""
        if old is not None and not old.left:
            self.sums.add(old, self._shapes.pop(id_, PLAIN), -1)
            self._due.pop(id_, None)
        if not new.left:
            now = shape(new, self.at)
            self.sums.add(new, now, 1)
            self._watch(id_, new, now)
        self._before = None

    def pass_next(self) -> None:
        """Go on to the next instant at which members count otherwise; it is still to be looked at."""
        at, before, idled = self.next, self.sums.copy(), False
        if self._is_stored:
            self.sums, self._is_stored = self.sums.copy(), False
        while self.next == at:
            _, id_ = heappop(self._heap)
            member, old = cast("Member", self._member_of(id_)), self._shapes[id_]
            now = shape(member, at)
            if not now.brings_as(old):  # else nothing may be rounded: whoever starts from the rows may not look here
                self.sums.add(member, old, -1)
                self.sums.add(member, now, 1)
                idled = idled or now.periods > old.periods
            self._watch(id_, member, now, at)
        self.at, self.passed = at - 1, at
        if idled:
            self._idled = self._idled[0] + 1, at
            self._before = lambda anonymous: AccountScore(before, anonymous)
        else:
            self._before = None

    def _watch(self, id_: str, member: Member, now: Shape, after: int | None = None) -> None:
        at = changes_at(member, now, self.at if after is None else after)
        self._due.pop(id_, None)
        if now is not PLAIN:
            self._shapes[id_] = now
        if at is not None:
            self._due[id_] = at
            heappush(self._heap, (at, id_))
