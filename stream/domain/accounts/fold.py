"""A partition of the accounts: a pure fold of what members bring and of ticks into accounts, their stages and facts.

A record changes one account: what is due, its members, one judgement. A tick lets the accounts' clock run. Members have versions,
so what comes again, or late, changes nothing; a visitor that left because somebody listens to it never comes back.
"""

from collections.abc import Iterator, MutableMapping
from typing import cast

from stream.domain import facts, stages
from stream.domain.accounts.account import Account
from stream.domain.accounts.facts import stage_changed
from stream.domain.accounts.live import Live
from stream.domain.accounts.rows import AccountRows
from stream.domain.accounts.rules import AccountRules
from stream.domain.crossing import END
from stream.domain.facts import Change
from stream.domain.leads import Cause, Out
from stream.domain.log import BY_ITSELF, Member, Members, NewRuleset, Tick, decode
from stream.domain.ownrows import CUT_BYTES
from stream.domain.ruleset.model import Ruleset
from stream.domain.stages import Move
from stream.domain.state import NEVER
from stream.domain.timers import Timers

DUE = 50
"""How many accounts are moved at once, at most: others want to work, too."""


class Accounts:
    """The fold over one partition of `members`.

    Args:
        stored: the table's partition, key bytes -> row bytes; read on touch, written by `cut`.
        app: the name in every fact's `source`.
        rules: the ruleset of an empty table, a stored one is in force instead; or what is in force in another fold.
    """

    cut_bytes = CUT_BYTES

    def __init__(self, stored: MutableMapping[bytes, bytes], app: str, rules: Ruleset | AccountRules) -> None:
        self.rows, self.app = AccountRows(stored), app
        self.log = self.rows.log()
        self.in_force = rules if isinstance(rules, AccountRules) else AccountRules(self.rows.editions(rules.text), rules)
        self.out: list[Out] = []
        self._lives: dict[str, Live] = {}
        self._resting: set[str] = set()
        """Accounts of which no member will count otherwise: what was read of them is dropped at the next cut."""
        self._arm_all()

    @property
    def rules(self) -> Ruleset:
        """The ruleset in force."""
        return self.in_force.rules

    @property
    def next(self) -> int:
        """The offset at which the log goes on."""
        return self.log.next

    @property
    def size(self) -> int:
        """How many bytes the next cut takes, at most."""
        return self.rows.size

    def apply(self, offset: int, value: bytes) -> None:
        """Apply the record at `offset`; raises `Unreadable` for one that this release cannot read."""
        while not self.apply_part(offset, value):
            pass

    def apply_part(self, offset: int, value: bytes) -> bool:
        """Apply so much of a record as one cut takes, and tell whether that was all, as in `People`; raises as `apply` does."""
        record = decode(value)
        if isinstance(record, Members):
            self._change(offset, record)
        elif isinstance(record, Tick):
            self.log.ticks[record.partition] = record.until
            if not self._run_clock(offset, record.until):
                return False
        elif isinstance(record, NewRuleset):
            self._follow(record)
        self.rows.applied(value)
        self.log.next = offset + 1
        return True

    def cut(self) -> list[tuple[bytes, bytes]]:
        """Return all changed rows and the log's own, to be appended whole or not at all."""
        self._let_rest()
        return self.rows.cut(self.log)

    def _follow(self, new: NewRuleset) -> None:
        """Put a ruleset in force; no account is moved by that."""
        followed = self.in_force.followed_by(new, min(self.log.ticks.values(), default=NEVER))
        if followed is not self.in_force:
            self.in_force = followed
            self.rows.keep_editions(followed.editions)
            self._arm_all()

    def _change(self, offset: int, record: Members) -> None:
        id_ = record.account.replace("\0", " ")  # it ends an account's id in the keys of its members
        changed = [member for member in record.changed if self._is_news(id_, member)]
        if not changed:
            return
        account = self.rows.account(id_) or Account(id_)
        live = self._live_before(account, record.r)
        self.advance(account, live, record.r, offset)
        live.store(account, record.r)
        for member in changed:
            self._replace(account, live, member, record.r)
        if account.sequence or account.sums.people or account.sums.anonymous or self.rows.account(id_) is not None:
            self.rows.keep(account)
            by_itself = record.code == BY_ITSELF
            code = None if by_itself else record.code or None
            self._judge(account, live, Cause(offset, record.r, code), by_itself=by_itself)
            self._arm(account, live)

    def _is_news(self, account: str, new: Member) -> bool:
        """Tell whether it is newer than what is known: at one version leaving is, and leaving for ever is newer than all."""
        known = self.rows.member(account, new.id)
        if known is None:
            return True
        if known.final or new.final:
            return not known.final
        return new.version > known.version or (new.version == known.version and new.left and not known.left)

    def _replace(self, account: Account, live: Live, new: Member, r: int) -> None:
        old = self.rows.member(account.id, new.id)
        live.replace(new.id, old, new)
        self.rows.keep_member(account.id, new)
        if not new.left:
            account.hear(new, r)
        if old is not None and not old.left:
            account.unhear(old)

    def live(self, account: Account) -> Live:
        """Return an account to be worked on."""
        live = self._lives.get(account.id)
        if live is None:
            rows, id_ = self.rows, account.id
            live = Live(account, sorted(rows.changing.get(id_, ())), lambda member: rows.member(id_, member))
            self._lives[id_] = live
            if not live.is_changing:
                self._resting.add(id_)
        return live

    def _let_rest(self) -> None:
        """Drop what was read of accounts of which no member will count otherwise."""
        for id_ in self._resting:
            if (live := self._lives.get(id_)) is not None and not live.is_changing:
                del self._lives[id_]
        self._resting.clear()

    def _live_before(self, account: Account, r: int) -> Live:
        """Return an account to be worked on from `r`; what a tick looked at behind that is looked at again."""
        live = self.live(account)
        if live.passed > max(r, account.as_of):
            live.go_back(account)
        return live

    def advance(self, account: Account, live: Live, until: int, offset: int) -> None:
        """Do what falls due for an account up to `until` (ms)."""
        for move in self._due(account, live, until):
            self._move(account, live, move, Cause(offset, move.at))

    def _due(self, account: Account, live: Live, until: int) -> Iterator[Move]:
        """Yield what falls due up to `until`, each at its own instant; the account must have done it before the next is asked."""
        while account.as_of != NEVER:
            move = self.in_force.next_due(account, live.score(self.in_force.anonymous), live.at)
            if move is not None and move.at <= until:
                yield move
            elif live.next <= until:
                live.pass_next()
            else:
                break

    def _run_clock(self, offset: int, clock: int) -> bool:
        """Do for accounts what is due until `clock`, in order of (instant, account id); tell whether that was all.

        It is done in parts, as for leads.
        """
        moved = 0
        for at, id_ in self.timers.due(clock):
            account = cast("Account", self.rows.account(id_))
            live = self.live(account)
            move = next(self._due(account, live, at), None)
            if move is not None:
                self._move(account, live, move, Cause(offset, move.at))
                moved += 1
            self._arm(account, live)
            if moved == DUE or self.rows.fill_a_cut:
                break
        return not self.timers.is_due(clock)

    def _arm_all(self) -> None:
        """Set the timers of all accounts that stand in a stage, and no others."""
        self.timers = Timers()
        for id_ in sorted(self.rows.standing):
            account = cast("Account", self.rows.account(id_))
            self._arm(account, self.live(account))
            self._let_rest()

    def _arm(self, account: Account, live: Live) -> None:
        """Set the account's timer to when its stage may change next."""
        stage = self.in_force.standing(account).stage
        if stage.exit is None:
            self.timers.disarm(account.id)
        else:
            move = self.in_force.next_due(account, live.score(self.in_force.anonymous), live.at)
            at = live.next if move is None else move.at
            self.timers.arm(account.id, at if at < END else None)
        if not live.is_changing:
            self._resting.add(account.id)

    def _judge(self, account: Account, live: Live, cause: Cause, *, by_itself: bool) -> None:
        """Do at a record what the stage machine says; `by_itself`: nothing happened but time."""
        score = live.score(self.in_force.anonymous)
        move = stages.judge(self.in_force.ladder(account), self.in_force.standing(account), score, account.as_of)
        if move is not None:
            fell = by_itself and move.code == "threshold_down"
            self._move(account, live, Move(move.to, move.at, BY_ITSELF) if fell else move, cause)
        account.rules = self.in_force.place

    def _move(self, account: Account, live: Live, move: Move, cause: Cause) -> None:
        """Put an account into a stage and tell it."""
        left, score = self.in_force.standing(account).stage, live.score(self.in_force.anonymous)
        live.store(account, move.at)
        code = cause.code or self.in_force.reason(account, move, live.score)
        if left.name in self.in_force.gone and move.code != "threshold_up":
            text = f"the ruleset has no stage {left.name} any more"
        else:
            text = facts.because(left, move, score) + ("; the ruleset changed" if code == "ruleset_change" else "")
        before, account.stage, account.entered_at = account.entered_at, move.to.name, move.at
        account.sequence = max(account.sequence, self.log.numbers) + 1
        account.rules = self.in_force.place
        change = Change(left, move.to, move.at, move.at, before, code, text, cause.r)
        leads = sorted(self.rows.leads.get(account.id, ()))
        value = stage_changed(self.app, account, change, score.part("score", move.at), leads, cause.offset)
        self.out.append(Out("account-changes", account.id.encode(), value, cause.r))
        self.rows.keep(account)
