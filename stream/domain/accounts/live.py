"""An account while it is worked on: its sums, moved from one instant at which a member begins to count otherwise to the next."""

from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from typing import cast

from stream.domain.accounts.account import Account
from stream.domain.accounts.score import AccountScore
from stream.domain.accounts.sums import PLAIN, Shape, Sums, changes_at, is_idle_at, shape
from stream.domain.crossing import END
from stream.domain.log import Member

MemberOf = Callable[[str], Member | None]


class Live:
    """Sums that may be ahead of their account's row: what is stored is right at the row's `as_of`, what is here until `next`.

    What it says follows from the row and the members alone: whoever starts from them later must do the same.

    Args:
        account: the row.
        changing: the members that will count otherwise at some instant.
        member_of: gives a member by its id.
    """

    def __init__(self, account: Account, changing: Iterable[str], member_of: MemberOf) -> None:
        self._member_of = member_of
        self._shapes: dict[str, Shape] = {}
        self._due: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []
        self._left: dict[str, tuple[Shape, int]] = {}
        """How those counted in the row, and until when, who by now count otherwise."""
        self._follow(account)
        for id_ in changing:
            member = cast("Member", member_of(id_))
            self._watch(id_, member, shape(member, self.at), self.at)

    def _follow(self, account: Account) -> None:
        """Stand where the row does."""
        self.sums, self._is_stored = account.sums, True
        self.at = self.passed = account.as_of
        """All that is due up to `at` (ms) was looked at; `passed` is the newest instant whose changes the sums have."""
        self._idled: tuple[int, int] = (0, 0)
        self._before: Sums | None = None
        self._score: tuple[float, AccountScore] | None = None

    @property
    def next(self) -> int:
        """The first instant at which a member may count otherwise; behind the last there is where none does."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else END + 1

    @property
    def is_changing(self) -> bool:
        """Whether any member will count otherwise."""
        return bool(self._due)

    def score(self, anonymous: float) -> AccountScore:
        """Return the score until `next`."""
        if self._score is None or self._score[0] != anonymous:
            before = None if self._before is None else AccountScore(self._before, anonymous)
            self._score = anonymous, AccountScore(self.sums, anonymous, self.next, self._idled, before)
        return self._score[1]

    def store(self, account: Account, at: int) -> None:
        """Let the account's row have these sums, right at `at`."""
        account.sums, account.as_of = self.sums, max(account.as_of, at)
        self._follow(account)
        self._left.clear()

    def go_back(self, account: Account) -> None:
        """Stand where the row does again."""
        self._follow(account)
        for id_, (old, due) in self._left.items():
            self._shapes[id_] = old
            self._wait(id_, due)
        self._left.clear()

    def replace(self, id_: str, old: Member | None, new: Member) -> None:
        """Let what a member brings be something else from now on; the row must stand here."""
        if old is not None and not old.left:
            self.sums.add(old, self._shapes.pop(id_, PLAIN), -1)
            self._due.pop(id_, None)
        if not new.left:
            now = shape(new, self.at)
            self.sums.add(new, now, 1)
            self._watch(id_, new, now, self.at)
        self._score = None

    def pass_next(self) -> None:
        """Go on to the next instant at which members may count otherwise; it is still to be looked at."""
        at, changed, idled = self.next, list[tuple[Member, Shape, Shape]](), False
        while self.next == at:
            _, id_ = heappop(self._heap)
            member, old = cast("Member", self._member_of(id_)), self._shapes[id_]
            self._left.setdefault(id_, (old, at))
            now = shape(member, at)
            if now != old:
                changed.append((member, old, now))
                idled = idled or is_idle_at(member, at)
            self._watch(id_, member, now, at)
        before = self.sums
        if changed and (idled or self._is_stored):
            self.sums, self._is_stored = before.copy(), False
        for member, old, now in changed:
            self.sums.add(member, old, -1)
            self.sums.add(member, now, 1)
        self.at, self.passed, self._score = at - 1, at, None
        self._before = before if idled else None
        if idled:
            self._idled = self._idled[0] + 1, at

    def _watch(self, id_: str, member: Member, now: Shape, after: int) -> None:
        """Look again when a member may count otherwise that counts as `now` at `after`."""
        at = changes_at(member, now, after)
        self._due.pop(id_, None)
        if now is not PLAIN:
            self._shapes[id_] = now
        if at is not None:
            self._wait(id_, at)

    def _wait(self, id_: str, at: int) -> None:
        self._due[id_] = at
        heappush(self._heap, (at, id_))
